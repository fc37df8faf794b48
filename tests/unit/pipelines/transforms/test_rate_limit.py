from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import ALL, JSON, batch, finding, node, stage, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat
from wire.pipelines.plan import Builder, compile_stage
from wire.pipelines.plan.builder import Arrived, AsyncFunction, Failures, Values
from wire.testing.clock import VirtualClock


@dataclass
class Asks:
    """A transform that asks a service."""

    function: AsyncFunction

    def emit(self, builder: Builder) -> None:
        builder.wait_for(self.function)


def rows(count: int) -> list[bytes]:
    return [b'{"n": %d}' % n for n in range(count)]


async def times(config: Any, *counts: int) -> list[float]:
    """Run batches one after the other; return when each was through, in seconds."""
    clock = VirtualClock(autojump=True)
    compiled = stage({"rate_limit": config}, clock=clock)
    passed = []
    for count in counts:
        result = await compiled.run_waiting(batch(*rows(count)))
        assert len(written(result)) == count
        passed.append(clock.monotonic())
    return passed


@pytest.mark.parametrize(
    ("config", "counts", "expected"),
    [
        (10, [10, 10, 5], [0, 1, 1.5]),
        ({"rate": 10, "burst": 0}, [1, 1, 10], [0.1, 0.2, 1.2]),
        ({"rate": 10, "burst": 20}, [20, 5], [0, 0.5]),
        ({"rate": 0.5, "burst": 1}, [1, 1, 1], [0, 2, 4]),
        ({"rate": 10, "burst": 5}, [25], [2]),
    ],
)
async def test_records_wait_until_the_rate_allows_all_of_a_batch(
    config: Any, counts: list[int], expected: list[float]
) -> None:
    assert await times(config, *counts) == pytest.approx(expected)


async def test_a_pause_is_worth_no_more_than_a_burst() -> None:
    clock = VirtualClock(autojump=True)
    compiled = stage({"rate_limit": {"rate": 10, "burst": 5}}, clock=clock)
    await clock.sleep(1000)
    await compiled.run_waiting(batch(*rows(5)))
    assert clock.monotonic() == 1000
    await compiled.run_waiting(batch(*rows(5)))
    assert clock.monotonic() == pytest.approx(1000.5)


async def test_batches_of_several_partitions_share_the_rate_and_pass_in_the_order_they_came() -> None:
    clock = VirtualClock(autojump=True)
    compiled = stage({"rate_limit": {"rate": 10, "burst": 0}}, clock=clock)
    passed: list[tuple[int, float]] = []

    async def one(number: int) -> None:
        await compiled.run_waiting(batch(*rows(10)))
        passed.append((number, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(one(number))
    assert passed == [(number, pytest.approx(number + 1)) for number in range(4)]


async def test_nothing_is_lost_and_tombstones_wait_too() -> None:
    clock = VirtualClock(autojump=True)
    compiled = stage({"filter": "n > 0"}, {"rate_limit": 1}, {"select": "*, n + 1 AS m"}, clock=clock)
    result = await compiled.run_waiting(batch(*rows(3), None))
    assert written(result) == [{"n": 1, "m": 2}, {"n": 2, "m": 3}, None]
    assert (result.filtered, result.failures, clock.monotonic()) == (1, [], 2)


async def test_a_batch_of_which_nothing_is_left_does_not_wait() -> None:
    clock = VirtualClock()
    compiled = stage({"filter": "n < 0"}, {"rate_limit": {"rate": 1, "burst": 0}}, clock=clock)
    assert written(await compiled.run_waiting(batch(*rows(3)))) == []


async def test_one_who_is_cancelled_keeps_nobody_else_from_passing() -> None:
    clock = VirtualClock(autojump=True)
    compiled = stage({"rate_limit": {"rate": 1, "burst": 0}}, clock=clock)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await compiled.run_waiting(batch(*rows(5)))
    await compiled.run_waiting(batch(*rows(5)))
    assert clock.monotonic() <= 10


async def test_what_waited_is_passed_on_as_the_bytes_it_came_in() -> None:
    compiled = stage({"rate_limit": 1000}, clock=VirtualClock())
    result = await compiled.run_waiting(batch(b'{"a":  1}', None, b"not even JSON"))
    assert [record.value for record in result.outputs[0].records] == [b'{"a":  1}', None, b"not even JSON"]


@pytest.mark.parametrize(
    ("configs", "most"),
    [([500], 500), ([0.1], 1), ([{"rate": 10, "burst": 0}], 1), ([7, {"rate": 1, "burst": 3.9}], 3)],
)
def test_batches_larger_than_a_burst_are_not_asked_for(configs: list[Any], most: int) -> None:
    assert stage(*({"rate_limit": config} for config in configs)).max_records == most
    assert stage({"filter": "n > 0"}).max_records is None


async def test_it_waits_before_a_later_transform_asks_a_service() -> None:
    clock, asked = VirtualClock(autojump=True), []

    async def ask(arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
        asked.append(clock.monotonic())
        return arrived, values

    limit = node({"rate_limit": {"rate": 1, "burst": 0}}, clock=clock)
    compiled = compile_stage(JSON, "test", [limit, Asks(ask)], [ALL])
    await compiled.run_waiting(batch(*rows(3)))
    assert asked == [3]


async def test_rows_of_csv_pass_too() -> None:
    compiled = stage({"rate_limit": 1000}, source=CsvFormat(columns=["a"]), clock=VirtualClock())
    assert written(await compiled.run_waiting(batch(b"1", b"2"))) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize(
    ("config", "path"),
    [(0, ""), (-1, ""), ("10/s", ""), ({}, ".rate"), ({"rate": 0}, ".rate"), ({"rate": 1, "burst": -1}, ".burst")],
)
def test_mistakes_are_found_when_it_is_built(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"rate_limit": config})
    assert finding(caught.value)[1] == f"$.transforms[0].rate_limit{path}"
