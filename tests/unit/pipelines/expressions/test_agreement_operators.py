"""Operators, and how they bind: what DuckDB gives."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.expressions.agreement import expect_agreement, lines

OPERATORS = r"""
b1 + b2
b1 - b2
b1 * b2
b1 / b2
b1 // b2
b1 % b2
d1 + d2
d1 - d2
d1 * d2
d1 / d2
d1 // d2
d1 % d2
b1 + d1
b1 * d1
b1 - d1
b1 / d1
b1 // d1
b1 % d1
d1 // b1
d1 % b1
-b1
-d1
b1 + 1
b1 * 60
b1 * 1.5e0
d1 * 2
d1 + 1e0
b1 / 60
d1 / 60
b1 / 0
b1 // 7
b1 % 7
b1 // -7
b1 % -7
1 / b1
1 - b1
1 - d1
2 * b1
b1 > b2
b1 >= d1
b1 < d1
b1 = d1
b1 <> d1
d1 < d2
d1 > d2
d1 = d2
d1 >= d2
d1 > 1
d1 >= 1
d1 < 1
d1 <= 1
d1 = 1
d1 <> 1
b1 > 1.5e0
b1 < 9007199254740992e0
b1 = 9007199254740992e0
1 < d1
1.5e0 < b1
s1 = 'a'
s1 < s2
s1 > 'abc'
s1 >= s2
s1 <> s2
p1 = p2
p1 > p2
p1 = 1
p1 = b1
t1 > t2
t1 = t2
t1 > '2013-01-01'
t1 < DATE '2013-01-01'
l1 = [1]
l1 < [2]
l1 > [1, NULL]
st = {'a': 1, 'b': 'x'}
b1 = '7'
b1 < '7'
d1 > '1.5'
s1 = 12
s1 IN (12, 13)
"""
LOGIC = r"""
p1 AND p2
p1 OR p2
NOT p1
p1 AND b1
b1 AND b2
NOT b1
NOT d1
p1 OR d1
s1 AND true
p1 IS TRUE
p1 IS NOT TRUE
p1 IS FALSE
p1 IS NOT FALSE
p1 IS NULL
p1 IS NOT NULL
b1 IS TRUE
b1 IN (1, 2, 7)
b1 NOT IN (1, 2)
b1 IN (1, NULL)
b1 NOT IN (1, NULL)
b1 IN (1.5e0, 7)
b1 IN (b2, 1)
s1 IN ('a', 'abc')
s1 IN (s2, 'a')
d1 IN (1, 2.5e0)
b1 IN ('7', 1)
b1 BETWEEN 1 AND 60
b1 NOT BETWEEN 1 AND 60
b1 BETWEEN b2 AND 100
d1 BETWEEN 0 AND 3
d1 BETWEEN d2 AND 100
s1 BETWEEN 'a' AND 'b'
b1 IS DISTINCT FROM b2
b1 IS NOT DISTINCT FROM b2
d1 IS DISTINCT FROM d2
s1 IS DISTINCT FROM 'a'
CASE WHEN b1 > 1 THEN 'x' WHEN b1 < 0 THEN 'y' ELSE 'z' END
CASE WHEN p1 THEN b1 ELSE b2 END
CASE b1 WHEN 1 THEN 'one' WHEN 7 THEN 'seven' END
CASE s1 WHEN 'a' THEN 1 WHEN s2 THEN 2 ELSE 3 END
CASE WHEN b1 THEN 1 ELSE 2 END
IF(p1, b1, b2)
IF(b1 > 5, 'a', 'b')
COALESCE(b1, b2, 0)
COALESCE(b1, d1)
IFNULL(b1, 5)
NULLIF(b1, 7)
NULLIF(s1, 'a')
NULLIF(b1, d1)
GREATEST(b1, b2)
LEAST(b1, b2, 3)
GREATEST(d1, d2)
LEAST(d1, d2)
GREATEST(s1, s2)
LEAST(t1, t2)
GREATEST(b1, d1)
"""
BITS_AND_POWERS = r"""
b1 & b2
b1 | b2
xor(b1, b2)
~b1
b1 << 2
b1 >> 2
b1 << b2
b1 >> b2
b1 ** 2
d1 ** d2
b1 ^ 2
pow(b1, d1)
"""
PRECEDENCE = r"""
-2 ** 2
2 ** 3 ** 2
NOT b1 = 7 IS NULL
b1 = 7 IS NULL
b1 + 1 || 'a'
'a' || b1 + 1
b1 & 3 = 3
1 + 2 & 3
1 << 2 + 1
b1 BETWEEN 1 AND 2 + 5 AND p1
8 / 2 / 2
NOT p1 IS NULL
b1 IS NULL = p1
'a' IN ('a') = p1
b1 > 1 IS DISTINCT FROM true
b1 - 1 - 1
b1 * 2 + 1
b1 + 2 * 3
b1 - -1
- - b1
b1 % 4 * 2
p1 OR p2 AND NOT p1
NOT p1 OR p2
p1 = p2 OR p1
s1 LIKE 'a' || '%'
b1 IN (1, 2) AND p1
CASE WHEN p1 THEN 1 ELSE 0 END + 1
-b1 // 2
-7 // 2
-7 % 2
b1 // 2 * 2
2 - b1 ** 2
~b1 & 3
b1 | 1 & 2
b1 << 1 | 1
p1 AND b1 > 1 OR d1 < 2
s1 IS NOT DISTINCT FROM s2 AND p1
@b1 + 1
"""


@pytest.mark.parametrize("expression", lines(OPERATORS, LOGIC, BITS_AND_POWERS, PRECEDENCE))
def test_a_value_or_a_failure_is_the_one_duckdb_gives(expression: str) -> None:
    expect_agreement(expression)
