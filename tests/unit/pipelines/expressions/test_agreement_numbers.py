"""Numbers, and values made into those of another type: what DuckDB gives."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.expressions.agreement import expect_agreement, lines

CASTS = r"""
b1::VARCHAR
d1::VARCHAR
p1::VARCHAR
t1::VARCHAR
l1::VARCHAR
st::VARCHAR
b1::DOUBLE
d1::BIGINT
d1::INTEGER
d1::TINYINT
b1::INTEGER
b1::SMALLINT
b1::UTINYINT
b1::UBIGINT
b1::HUGEINT
b1::BOOLEAN
d1::BOOLEAN
s1::BOOLEAN
s1::BIGINT
s1::INTEGER
s1::DOUBLE
s1::DATE
s1::TIMESTAMP
s1::TIME
p1::BIGINT
p1::DOUBLE
p1::INTEGER
t1::DATE
t1::TIME
t1::DATE::VARCHAR
t1::DATE::TIMESTAMP
t1::TIME::VARCHAR
d1::FLOAT
b1::FLOAT
b1::DECIMAL(10,2)
d1::DECIMAL(18,3)
s1::DECIMAL(10,2)
s1::BLOB
s1::VARCHAR
l1::VARCHAR[]
l1::DOUBLE[]
l1::INTEGER[]
TRY_CAST(s1 AS BIGINT)
TRY_CAST(s1 AS DOUBLE)
TRY_CAST(s1 AS DATE)
TRY_CAST(s1 AS TIMESTAMP)
TRY_CAST(s1 AS BOOLEAN)
TRY_CAST(d1 AS BIGINT)
TRY_CAST(b1 AS TINYINT)
TRY(b1 // b2)
TRY(b1 + b2)
"""
NUMBERS = r"""
abs(b1)
abs(d1)
@b1
ceil(b1)
ceil(d1)
floor(b1)
floor(d1)
round(b1)
round(d1)
round(d1, 1)
round(d1, 2)
round(d1, -1)
round(b1, -1)
round(b1, -2)
round(b1, 2)
round(d1, 20)
trunc(b1)
trunc(d1)
sign(b1)
sign(d1)
mod(b1, b2)
mod(b1, 7)
pow(b1, 2)
exp(b1)
exp(d1)
sqrt(b1)
sqrt(d1)
cbrt(d1)
ln(b1)
ln(d1)
log(b1)
log(d1)
log(2, b1)
log(b1, b2)
log2(d1)
log10(d1)
sin(d1)
cos(d1)
tan(d1)
cot(d1)
asin(d1)
acos(d1)
atan(d1)
atan2(d1, d2)
sinh(d1)
cosh(d1)
tanh(d1)
degrees(d1)
radians(d1)
pi()
isnan(d1)
isinf(d1)
isfinite(d1)
gcd(b1, b2)
bit_count(b1)
"""


@pytest.mark.parametrize("expression", lines(CASTS, NUMBERS))
def test_a_value_or_a_failure_is_the_one_duckdb_gives(expression: str) -> None:
    expect_agreement(expression)
