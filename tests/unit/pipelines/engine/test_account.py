from __future__ import annotations

import pytest

from wire.core.units import Quota
from wire.pipelines.engine.account import Account
from wire.testing.clock import VirtualClock


def account(quota: str) -> tuple[Account, VirtualClock]:
    clock = VirtualClock()
    return Account(Quota.parse(quota), clock), clock


def test_a_number_is_exceeded_by_one_more() -> None:
    found, _ = account("2/1m")
    found.rejected(2)
    assert not found.exceeded
    found.rejected(1)
    assert found.exceeded


def test_a_share_counts_from_a_hundred_records_on() -> None:
    found, _ = account("1%/1m")
    found.read(99)
    found.rejected(50)
    assert not found.exceeded
    found.read(1)
    assert found.exceeded


async def test_a_share_is_of_all_that_was_read_not_only_of_what_came_with_the_bad_ones() -> None:
    found, clock = account("1%/1m")
    found.read(10_000)
    await clock.advance(30)
    found.read(10)
    found.rejected(10)
    assert not found.exceeded


@pytest.mark.parametrize(("after_s", "exceeded"), [(50, True), (61.5, False)])
async def test_what_is_older_than_the_window_does_not_count(after_s: float, exceeded: bool) -> None:
    found, clock = account("2/1m")
    found.rejected(2)
    await clock.advance(after_s)
    found.rejected(1)
    assert found.exceeded is exceeded


async def test_its_size_is_bounded_however_long_it_counts() -> None:
    found, clock = account("1%/1m")
    for _ in range(10_000):
        found.read(1)
        await clock.advance(0.7)
    assert len(found._slices) <= 61


def test_what_was_read_long_before_it_is_rejected_counts_as_read() -> None:
    found, _ = account("1%/1m")
    found.rejected(100)
    assert found.exceeded
