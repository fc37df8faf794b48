"""The cluster's state under real consensus: kept over a restart, and a stop before what a release does not know."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.integration.raft.cluster_kit import CLUSTER, QUICK
from tests.unit.cluster.model_rows import picture
from tests.unit.cluster.world_kit import P, World
from wire.cluster.encoding import NEWEST, decode_answer, encode
from wire.cluster.machine import ClusterMachine
from wire.core.errors import FatalError, root_cause
from wire.raft import Configuration, Member, MemberId, RaftNode, StateMachine, found_cluster

ME = Member(MemberId("a/1"), "127.0.0.1:1")
PAUSE = World().desiring("paused")
FROM_LATER = bytes((NEWEST + 1,)) + b"\x80"


def fail(exc: Exception) -> None:
    raise exc


def member(folder: Path, machine: StateMachine) -> RaftNode:
    return RaftNode(ME, CLUSTER, folder, machine, tls=None, rng=random.Random(1), settings=QUICK)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found_cluster(tmp_path, CLUSTER, Configuration(voters=(ME,)), ClusterMachine(fail))
    return tmp_path


class Later:
    """A release to come: it knows what `FROM_LATER` is."""

    def __init__(self) -> None:
        self.of_now = ClusterMachine(fail)
        self.applied: list[tuple[int, bytes]] = []

    def apply(self, index: int, command: bytes) -> bytes:
        self.applied.append((index, command))
        return b"new" if command == FROM_LATER else self.of_now.apply(index, command)

    def snapshot(self) -> Iterator[bytes]:
        return self.of_now.snapshot()

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.of_now.restore(chunks)


async def test_the_state_is_there_again_after_a_restart(folder: Path) -> None:
    machine = ClusterMachine(fail)
    async with member(folder, machine) as node:
        await node.propose(encode(World().applying("1", "j")))
        await node.snapshot()
        outcome = await node.propose(encode(PAUSE))
        assert isinstance(outcome, bytes)
        assert decode_answer(outcome).desired == "paused"  # type: ignore[union-attr]
    again = ClusterMachine(fail)
    async with member(folder, again) as node:
        assert await node.read_barrier()
        assert picture(again.state) == picture(machine.state)
        assert again.state.pipelines[P].desired == "paused"


async def test_a_node_stops_before_a_command_it_does_not_know_and_goes_on_from_there_when_upgraded(
    folder: Path,
) -> None:
    applied: list[int] = []

    async def meet_it() -> None:
        async with member(folder, ClusterMachine(fail)) as node:
            await node.propose(encode(World().applying("1", "j")))
            applied.append((await node.snapshot()).index)
            await node.propose(FROM_LATER, timeout_s=60)

    restarted = ClusterMachine(fail)

    async def meet_it_again() -> None:
        async with member(folder, restarted) as node:
            await node.read_barrier(timeout_s=60)

    await stops(meet_it)
    await stops(meet_it_again)  # it was not passed over
    assert restarted.state.pipelines[P].desired == "running"

    later = Later()
    async with member(folder, later) as node:
        await node.propose(encode(PAUSE))
        assert later.applied[0] == (applied[0] + 1, FROM_LATER)
        assert [command for _, command in later.applied] == [FROM_LATER, encode(PAUSE)]
        assert later.of_now.state.pipelines[P].desired == "paused"


async def stops(running: Callable[[], Awaitable[None]]) -> None:
    """See that a node ends by itself, and says that it is to be upgraded."""
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(running(), 60)
    error = root_cause(caught.value)
    assert isinstance(error, FatalError)
    assert error.code == "cluster.unknown_command"
    assert "upgrade" in (error.hint or "")
