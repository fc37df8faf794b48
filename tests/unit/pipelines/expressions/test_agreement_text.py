"""Text, patterns, encodings and JSON: what DuckDB gives."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.expressions.agreement import expect_agreement, lines

TEXT_OPERATORS = r"""
s1 || s2
s1 || '-' || b1
b1 || '-' || d1
s1 || NULL
s1 || p1 || t1
l1 || [1]
l1 || l1
concat(s1, b1, d1, p1, t1)
concat(s1, NULL)
concat(l1, [1])
concat_ws('-', s1, s2, b1)
concat_ws(s1, 'a', 'b')
s1 LIKE 'a%'
s1 LIKE '%a'
s1 LIKE '%b%'
s1 LIKE '_'
s1 LIKE '__'
s1 LIKE 'a_c'
s1 LIKE '%_%'
s1 LIKE '%a%b%'
s1 LIKE s2
s1 NOT LIKE 'a%'
s1 LIKE 'abc'
s1 LIKE ''
s1 LIKE '%'
s1 LIKE '100#%' ESCAPE '#'
s1 LIKE '%#_%' ESCAPE '#'
s1 NOT LIKE '%#_%' ESCAPE '#'
s1 ILIKE 'ABC'
s1 ILIKE '%É%'
s1 ILIKE s2
s1 NOT ILIKE 'a%'
s1 ILIKE 'A#%B%' ESCAPE '#'
s1 SIMILAR TO 'a.*'
s1 NOT SIMILAR TO 'a|b'
s1 ~ 'a.c'
s1 !~ 'b'
s1 GLOB 'a*'
s1 GLOB '[a-c]*'
s1 GLOB '[!a]*'
s1 ^@ 'a'
s1 IS NULL
"""
TEXT = r"""
upper(s1)
lower(s1)
length(s1)
len(s1)
strlen(s1)
trim(s1)
ltrim(s1)
rtrim(s1)
trim(s1, 'a')
ltrim(s1, 'ab')
rtrim(s1, s2)
trim(BOTH 'a' FROM s1)
trim(LEADING 'a' FROM s1)
substring(s1, 2)
substring(s1, 2, 3)
substring(s1, 0, 2)
substring(s1, -2, 2)
substring(s1, -2)
substring(s1, 2, -1)
substring(s1, 3, -2)
substring(s1, 0)
substring(s1, 0, -2)
substring(s1, -1, -2)
substring(s1 FROM 2 FOR 2)
left(s1, 2)
left(s1, -2)
left(s1, 0)
right(s1, 2)
right(s1, -2)
right(s1, 0)
replace(s1, 'a', 'xx')
replace(s1, '', 'x')
replace(s1, s2, '-')
split_part(s1, ',', 1)
split_part(s1, ',', 2)
split_part(s1, ',', -1)
split_part(s1, ',', 0)
split_part(s1, '', 2)
string_split(s1, ',')
string_split(s1, '')
contains(s1, 'a')
contains(s1, s2)
contains(l1, 1)
starts_with(s1, 'a')
starts_with(s1, s2)
ends_with(s1, 'c')
suffix(s1, s2)
strpos(s1, 'b')
strpos(s1, '')
position('b' IN s1)
instr(s1, s2)
lpad(s1, 5, 'xy')
lpad(s1, 2, 'x')
lpad(s1, -1, 'x')
lpad(s1, 5, '')
rpad(s1, 5, 'xy')
rpad(s1, 0, 'x')
reverse(s1)
repeat(s1, 2)
repeat(s1, -1)
ascii(s1)
unicode(s1)
ord(s1)
translate(s1, 'abc', 'xy')
levenshtein(s1, s2)
strip_accents(s1)
bit_length(s1)
"""
PATTERNS = r"""
regexp_matches(s1, 'a.c')
regexp_matches(s1, '^.$')
regexp_matches(s1, 'A', 'i')
regexp_matches(s1, 'e.b', 's')
regexp_matches(s1, '.', 'l')
regexp_full_match(s1, '[a-z]+')
regexp_extract(s1, '[a-z]+')
regexp_extract(s1, '([a-z])([a-z])', 2)
regexp_extract(s1, '([a-z])(x)?', 2)
regexp_extract_all(s1, '[a-z]')
regexp_extract_all(s1, '')
regexp_extract_all(s1, 'a*')
regexp_replace(s1, 'a', 'X')
regexp_replace(s1, 'a', 'X', 'g')
regexp_replace(s1, '', '-', 'g')
regexp_replace(s1, 'a*', '-', 'g')
regexp_replace(s1, '(.)', '\1\1', 'g')
regexp_replace(s1, '(.)', '[\0]', 'g')
regexp_split_to_array(s1, '[,b]')
regexp_split_to_array(s1, '')
regexp_split_to_array(s1, 'a*')
regexp_escape(s1)
"""
ENCODINGS = r"""
md5(s1)
sha1(s1)
sha256(s1)
base64(s1::BLOB)
to_base64(s1::BLOB)
from_base64(to_base64(s1::BLOB))
hex(s1)
hex(b1)
unhex(hex(s1))
encode(s1)
decode(encode(s1))
octet_length(encode(s1))
url_encode(s1)
url_decode(url_encode(s1))
json_extract_string('{"a": [1, "x"]}', '$.a[1]')
'{"a": {"b": 2}}' ->> '$.a.b'
json_valid(s1)
json_array_length('[1,2]')
to_json(b1)
to_json(s1)
to_json(l1)
to_json(st)
"""


@pytest.mark.parametrize("expression", lines(TEXT_OPERATORS, TEXT, PATTERNS, ENCODINGS))
def test_a_value_or_a_failure_is_the_one_duckdb_gives(expression: str) -> None:
    expect_agreement(expression)
