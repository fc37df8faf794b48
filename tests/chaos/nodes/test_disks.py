"""Nodes whose disks run full at work: others go on without them, and they take part again once there is room."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.nodes.cluster import DEADLINE_S, cluster
from tests.chaos.nodes.trial import DOCUMENTS, FAULT_S, MARKS, SEED, Services, Trial, begin
from tests.services.disks import Disk, disk
from tests.waiting import until

NAMES = ("n1", "n2", "n3")

pytestmark = [*MARKS, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]


class Disks:
    """A trial whose nodes have each a disk of its own."""

    def __init__(self, trial: Trial, by_name: dict[str, Disk]) -> None:
        self.trial = trial
        self._by_name = by_name

    @contextlib.asynccontextmanager
    async def full(self, name: str) -> AsyncIterator[None]:
        """Fill the disk of a node, until all goes on without it, then for a while and for the block; then free it."""
        node, its_disk = self.trial.cluster.nodes[name], self._by_name[name]
        its_disk.fill()
        try:
            async with self.trial.without(name, FAULT_S):
                await until(lambda: "raft_disk_full" in node.said, DEADLINE_S)
                yield
        finally:
            its_disk.free()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def disks(
    own_elasticsearch_and_others: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Disks]:
    """Three nodes on small disks."""
    print(f"WIRE_CHAOS_SEED={SEED}")
    services, folder = own_elasticsearch_and_others, tmp_path_factory.mktemp("disks")
    with contextlib.ExitStack() as stack:
        by_name = {name: stack.enter_context(disk(folder / name, "128m")) for name in NAMES}
        async with cluster(folder, NAMES, services.environ) as nodes:
            yield Disks(await begin(nodes, services), by_name)


async def test_the_disk_of_the_leader_is_full(disks: Disks) -> None:
    async with disks.trial.going_on(), disks.full(await disks.trial.cluster.leader()):
        pass


async def test_the_disk_of_the_owner_of_a_task_is_full_and_it_is_killed_and_started_meanwhile(disks: Disks) -> None:
    nodes = disks.trial.cluster
    owner = (await nodes.owners(DOCUMENTS))[0]
    async with disks.trial.going_on(), disks.full(owner):
        await nodes.kill(owner)
        await nodes.nodes[owner].start()
        await until(lambda: "raft_disk_full" in nodes.nodes[owner].said, DEADLINE_S)
