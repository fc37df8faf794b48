"""Lists and structs: what DuckDB gives."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.expressions.agreement import expect_agreement, lines

NESTED = r"""
l1[1]
l1[-1]
l1[0]
l1[b1]
l1[2:]
l1[:2]
l1[-2:]
l1[1:-2]
l1[b1:b2]
l1[0:1]
l1[:0]
l1[-1:-1]
s1[1]
s1[-1]
s1[2:3]
s1[-3:-2]
s1[0]
s1[0:2]
st.a
st.b
st['a']
st.a + 1
[b1, b2]
{'x': b1, 'y': s1}
{'x': b1}.x
[b1, 1][1]
"""
LISTS = r"""
list_contains(l1, 1)
list_contains(l1, NULL)
list_contains(l1, b1)
1 IN l1
list_position(l1, 1)
list_position(l1, 9)
list_extract(l1, 2)
list_slice(l1, 1, 2)
list_slice(l1, -2, -1)
list_concat(l1, [9])
list_concat(l1, NULL)
list_append(l1, 5)
list_prepend(5, l1)
list_sort(l1)
list_reverse_sort(l1)
list_reverse(l1)
list_unique(l1)
list_count(l1)
list_sum(l1)
list_avg(l1)
list_min(l1)
list_max(l1)
flatten([l1, [7]])
array_to_string(l1, '-')
array_length(l1)
len(l1)
length(l1)
struct_extract(st, 'a')
struct_pack(a := b1, b := s1)
"""


@pytest.mark.parametrize("expression", lines(NESTED, LISTS))
def test_a_value_or_a_failure_is_the_one_duckdb_gives(expression: str) -> None:
    expect_agreement(expression)
