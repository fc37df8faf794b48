"""Dates, times and intervals: what DuckDB gives."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.expressions.agreement import expect_agreement, lines

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


@pytest.mark.parametrize("expression", lines(TIMES))
def test_a_value_or_a_failure_is_the_one_duckdb_gives(expression: str) -> None:
    expect_agreement(expression)
