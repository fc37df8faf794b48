"""Every operator and function gives what DuckDB gives, on rows full of the values that make a difference."""

from __future__ import annotations

import functools

import pytest

from tests.unit.pipelines.expressions.duck import Reference, evaluate, same
from tests.unit.pipelines.expressions.rows import ROWS

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
TIMES = r"""
strftime(t1, '%Y-%m-%d')
strftime(t1, '%Y-%m-%dT%H:%M:%S.%g')
strftime(t1, '%a %A %b %B %p %I %-I %y %j %-j %-d/%-m')
strftime(t1, '%U %W %V %G %u %w')
strftime(t1, '%c|%x|%X')
strftime(t1, '100%%')
strftime(t1, 'é%Y')
strptime('2013-01-02', '%Y-%m-%d')
strptime(s1, '%Y-%m-%d')
try_strptime(s1, '%Y-%m-%d')
try_strptime(s1, '%Y-%m-%dT%H:%M:%SZ')
date_trunc('hour', t1)
date_trunc('day', t1)
date_trunc('week', t1)
date_trunc('month', t1)
date_trunc('quarter', t1)
date_trunc('year', t1)
date_trunc('decade', t1)
date_trunc('century', t1)
date_trunc('millennium', t1)
date_trunc('minute', t1)
date_trunc('second', t1)
date_trunc('milliseconds', t1)
date_trunc('microseconds', t1)
date_part('year', t1)
date_part('epoch', t1)
date_part('dow', t1)
date_part('isodow', t1)
date_part('week', t1)
date_part('doy', t1)
date_part('yearweek', t1)
date_part('century', t1)
date_part('decade', t1)
date_part('millennium', t1)
date_part('milliseconds', t1)
date_part('microseconds', t1)
date_part('isoyear', t1)
date_part('quarter', t1)
EXTRACT(year FROM t1)
EXTRACT(epoch FROM t1)
EXTRACT(dow FROM t1)
EXTRACT(millisecond FROM t1)
year(t1)
month(t1)
day(t1)
hour(t1)
minute(t1)
second(t1)
quarter(t1)
week(t1)
weekofyear(t1)
dayofweek(t1)
weekday(t1)
isodow(t1)
dayofyear(t1)
dayofmonth(t1)
yearweek(t1)
isoyear(t1)
millisecond(t1)
microsecond(t1)
dayname(t1)
monthname(t1)
last_day(t1)
epoch(t1)
epoch_ms(t1)
epoch_us(t1)
epoch_ns(t1)
make_timestamp(2013, 1, 2, 3, 4, 5.5)
make_timestamp(2013, 1, 2, 3, 4, d1)
make_date(2013, 2, b1)
make_date(2013, b1, 1)
make_time(1, 2, d1)
date_diff('day', t1, t2)
date_diff('hour', t1, t2)
date_diff('week', t1, t2)
date_diff('month', t1, t2)
date_diff('quarter', t1, t2)
date_diff('year', t1, t2)
date_diff('decade', t1, t2)
date_diff('century', t1, t2)
date_diff('millennium', t1, t2)
date_diff('second', t1, t2)
date_diff('millisecond', t1, t2)
date_diff('microsecond', t1, t2)
date_diff('minute', t1, t2)
date_sub('day', t1, t2)
date_sub('hour', t1, t2)
date_sub('week', t1, t2)
date_sub('month', t1, t2)
date_sub('quarter', t1, t2)
date_sub('year', t1, t2)
date_sub('second', t1, t2)
t1 + INTERVAL 1 day
t1 + INTERVAL 1 month
t1 - INTERVAL 1 month
t1 + INTERVAL '1 month -1 day'
t1 + INTERVAL 90 minutes
t1 + INTERVAL (b1) day
t1 + INTERVAL 1 quarter
t1 - t2
t1::DATE - t2::DATE
t1::DATE + 1
t1::DATE - 1
1 + t1::DATE
t1::DATE + INTERVAL 1 hour
t1::DATE + t1::TIME
(t1 - t2)::VARCHAR
epoch(t1 - t2)
(t1 - t2) * 2
INTERVAL 1 day * b1
INTERVAL 1 day > INTERVAL 23 hour
INTERVAL 1 month = INTERVAL 30 day
date_add(t1, INTERVAL 1 day)
time_bucket(INTERVAL 5 minutes, t1)
time_bucket(INTERVAL 1 month, t1)
time_bucket(INTERVAL 7 months, t1)
time_bucket(INTERVAL 2 weeks, t1)
time_bucket(INTERVAL 1 day, t1)
to_days(b1::INTEGER)
to_seconds(d1)
to_milliseconds(d1)
to_hours(b1)
to_years(b1::INTEGER)
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

EXPRESSIONS = [
    line
    for block in (
        OPERATORS, LOGIC, TEXT_OPERATORS, NESTED, BITS_AND_POWERS, CASTS, TEXT, PATTERNS, NUMBERS, TIMES, LISTS,
        ENCODINGS, PRECEDENCE,
    )
    for line in block.strip().splitlines()
]  # fmt: skip


@functools.cache
def reference() -> Reference:
    return Reference(ROWS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_value_or_a_failure_is_the_one_duckdb_gives(expression: str) -> None:
    theirs = reference().evaluate(expression)
    ours = evaluate(expression, ROWS)
    wrong = [(row, a, b) for row, a, b in zip(ROWS, ours, theirs, strict=True) if not same(a, b)]
    used = {name: value for name, value in wrong[0][0].items() if name in expression} if wrong else {}
    assert not wrong, f"{expression} over {used}: Wire gives {wrong[0][1]!r}, DuckDB {wrong[0][2]!r}"
