from __future__ import annotations

import asyncio

import pytest

from wire.core.clock import Clock, SystemClock
from wire.testing.clock import VirtualClock


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock(autojump=True)], ids=["system", "virtual"])
async def test_a_sleep_moves_both_clocks_at_least_that_far(clock: Clock) -> None:
    wall, mono = clock.now_ms(), clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - mono >= 0.01
    assert clock.now_ms() - wall >= 9


async def test_virtual_time_stands_still_until_advanced() -> None:
    clock = VirtualClock(start_ms=1000)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        sleeper = group.create_task(clock.sleep(2))
        await clock.advance(1.999)
        assert not sleeper.done()
        assert clock.now_ms() == 2999
        assert clock.sleepers == 1
        await clock.advance(0.001)
        assert sleeper.done()
        assert clock.monotonic() == 2


async def test_advance_wakes_a_repeated_sleeper_at_each_of_its_moments() -> None:
    clock = VirtualClock()
    woken: list[float] = []

    async def every(seconds: float) -> None:
        while True:
            await clock.sleep(seconds)
            woken.append(clock.monotonic())

    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(every(1))
        slower = group.create_task(every(1.5))
        await clock.advance(3)
        ticker.cancel()
        slower.cancel()
    assert woken == [1, 1.5, 2, 3, 3]


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = VirtualClock()
    async with asyncio.TaskGroup() as group:
        sleeper = group.create_task(clock.sleep(1))
        await clock.advance(0)
        sleeper.cancel()
    assert clock.sleepers == 0
    await clock.advance(2)
    assert clock.monotonic() == 2


async def test_autojump_goes_from_sleeper_to_sleeper_in_order_without_waiting() -> None:
    clock = VirtualClock(autojump=True)
    seen: list[tuple[str, float]] = []

    async def work(name: str, *pauses: float) -> None:
        for pause in pauses:
            await clock.sleep(pause)
            seen.append((name, clock.monotonic()))

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(work("a", 3600, 3600))
        group.create_task(work("b", 5000))
    assert seen == [("a", 3600), ("b", 5000), ("a", 7200)]


async def test_autojump_waits_for_those_who_can_go_on_without_time() -> None:
    clock = VirtualClock(autojump=True)
    steps: list[str] = []

    async def sleeper() -> None:
        await clock.sleep(1)
        steps.append("woken")

    async def busy() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        steps.append("worked")

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(sleeper())
        group.create_task(busy())
    assert steps == ["worked", "woken"]


async def test_a_sleep_of_nothing_lets_others_run() -> None:
    clock = VirtualClock()
    ran: list[bool] = []
    asyncio.get_running_loop().call_soon(ran.append, True)
    await clock.sleep(0)
    assert ran
