"""Thousands of records a second, and two workers on each node: the same faults, one after the other."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.nodes.cluster import cluster
from tests.chaos.nodes.trial import DOCUMENTS, FAULT_S, MARKS, RECORDS, SEED, Services, Trial, begin

RATE = 3000
LEAST_PER_S = 1000

pytestmark = [*MARKS, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy(
    own_elasticsearch_and_others: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trial]:
    """Three nodes with two workers each, with far more to do than in other trials."""
    print(f"WIRE_CHAOS_SEED={SEED}")
    services, names = own_elasticsearch_and_others, ("n1", "n2", "n3")
    folder = tmp_path_factory.mktemp("busy")
    async with cluster(folder, names, services.environ, flags=("--workers", "2")) as nodes:
        yield await begin(nodes, services, RATE)


async def test_the_leader_an_owner_and_a_worker_are_killed_and_an_owner_is_frozen_under_load(busy: Trial) -> None:
    nodes = busy.cluster
    async with busy.going_on():
        for victim in (await nodes.leader(), (await nodes.owners(RECORDS))[0]):
            await nodes.kill(victim)
            await busy.advances(f"without {victim}")
            await nodes.start(victim)
            await nodes.healthy()
        node = nodes.nodes[(await nodes.owners(DOCUMENTS))[0]]
        first, second = node.workers()
        os.kill(first, signal.SIGKILL)
        await busy.advances(f"without a worker of {node.name}")
        assert second in node.workers()
        with nodes.freezing((await nodes.owners(RECORDS))[0]):
            await busy.advances("while its owner was frozen")
            await asyncio.sleep(FAULT_S)  # the length of the fault
    assert busy.came_in_per_s >= LEAST_PER_S, "this machine is too slow: the trial is void"
