from __future__ import annotations

import random

import pytest

from wire.core.errors import FatalError, RetryableError
from wire.core.units import Duration
from wire.pipelines.engine.retry import Backoff
from wire.pipelines.spec import RetrySpec

AWAY = RetryableError("sink.away", "away", hint="start it")


def waits(spec: RetrySpec, count: int) -> list[float]:
    backoff = Backoff(spec, random.Random(7))
    return [backoff.next_s(AWAY) for _ in range(count)]


def test_waits_stay_below_a_ceiling_that_doubles_up_to_the_maximum() -> None:
    spec = RetrySpec(initial=Duration(1000), max=Duration(8000))
    for attempt, wait in enumerate(waits(spec, 40)):
        assert 0 <= wait <= min(8.0, 2.0**attempt)


def test_the_jitter_is_full() -> None:
    spec = RetrySpec(initial=Duration(1000), max=Duration(1000))
    found = waits(spec, 500)
    assert min(found) < 0.05
    assert max(found) > 0.95


def test_it_never_waits_less_than_the_other_side_asked_for() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1)), random.Random(7))
    assert backoff.next_s(RetryableError("sink.busy", after_s=30)) == 30


def test_it_gives_up_after_the_configured_attempts_and_says_why() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1), attempts=3), random.Random(7))
    backoff.next_s(AWAY)
    backoff.next_s(AWAY)
    with pytest.raises(FatalError, match=r"3 attempts.*sink\.away") as caught:
        backoff.next_s(AWAY)
    assert caught.value.hint == "start it"


def test_a_success_starts_the_count_anew() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1), attempts=2), random.Random(7))
    for _ in range(5):
        backoff.next_s(AWAY)
        backoff.reset()


def test_a_year_of_failures_overflows_nothing() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1), max=Duration(10), factor=10), random.Random(7))
    backoff.attempts = 10**6
    assert backoff.next_s(AWAY) <= 10


def test_a_huge_factor_overflows_nothing() -> None:
    assert max(waits(RetrySpec(initial=Duration(1), max=Duration(10), factor=1e30), 100)) <= 10
