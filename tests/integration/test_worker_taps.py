"""Whoever taps a pipeline sees what its tasks send to their sinks, and nobody else notices."""

from __future__ import annotations

import asyncio

import msgspec

from tests.integration.workers_kit import Cluster, endless
from tests.waiting import until
from wire.cluster.state import PipelineKey
from wire.worker.protocol import Sample

KEY = PipelineKey("default", "tapped")
SPEC = endless("tapped", transforms=[{"select": "n, n * 2 AS twice, 'hush' AS api_token"}])


def numbers(samples: list[Sample]) -> list[int]:
    """The numbers of samples that look as they should."""
    for sample in samples:
        assert (sample.sink, sample.source, sample.partition) == ("drop", "generate", "generate")
        assert sample.value is not None
        n = sample.offset
        assert msgspec.json.decode(sample.value.data) == {"n": n, "twice": 2 * n, "api_token": "***"}
    return [sample.offset for sample in samples]


async def test_samples_are_given_to_all_who_ask() -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(SPEC, "generate")
        await until(lambda: cluster.read(run) > 0)
        few, many = await asyncio.gather(cluster.supervisor.tap(KEY, 5, 60), cluster.supervisor.tap(KEY, 60, 60))
        assert len(numbers(few)) == 5
        assert len(set(numbers(many))) == 60
        assert await cluster.supervisor.tap(PipelineKey("default", "other"), 5, 60) == []


async def test_patience_ends_before_there_is_enough() -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(SPEC, "generate")
        await until(lambda: cluster.read(run) > 0)
        assert 0 < len(numbers(await cluster.supervisor.tap(KEY, 10**6, 1))) < 10**6


async def test_a_task_that_ends_ends_no_tap_with_an_error() -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(SPEC, "generate")
        await until(lambda: cluster.read(run) > 0)
        async with asyncio.TaskGroup() as tasks:
            tap = tasks.create_task(cluster.supervisor.tap(KEY, 10**6, 3))
            await cluster.supervisor.drain(10)
        numbers(tap.result())
        assert await cluster.supervisor.tap(KEY, 5, 60) == []
        assert cluster.losses == 0
