"""Nodes on hosts of their own that are cut off from each other, while each reaches the servers: the worst case.

Whoever is cut off is asked, too: it must not answer with what is old, nor confirm anything.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.nodes.cluster import cluster
from tests.chaos.nodes.trial import DOCUMENTS, FAULT_S, MARKS, SEED, Services, Trial, begin
from tests.services.hosts import Hosts, hosts
from tests.services.relays import Relays

pytestmark = [*MARKS, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


class Islands:
    """A trial whose nodes can be cut off."""

    def __init__(self, trial: Trial, network: Hosts) -> None:
        self.trial = trial
        self._network = network

    async def isolate(self, name: str) -> None:
        """Cut a node off from the others, until all goes on without it and then for a while."""
        self._network.pull(name[-1])
        try:
            async with self.trial.without(name, FAULT_S):
                pass
        finally:
            self._network.plug(name[-1])

    async def mute(self, name: str) -> None:
        """Let a node hear the others and not be heard by them, as long."""
        others = self._others(name)
        self._network.mute(name[-1], *others)
        try:
            async with self.trial.without(name, FAULT_S):
                pass
        finally:
            self._network.unmute(name[-1], *others)

    async def part(self, one: str, other: str) -> None:
        """Let two nodes reach the third and not each other, as long."""
        ways = (one[-1], other[-1]), (other[-1], one[-1])
        for way in ways:
            self._network.mute(*way)
        try:
            async with self.trial.without(other, FAULT_S):
                pass
        finally:
            for way in ways:
                self._network.unmute(*way)

    def _others(self, name: str) -> list[str]:
        return [host for host in self._network.addresses if host != name[-1]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def islands(
    own_elasticsearch_and_others: Services, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Islands]:
    """Three nodes, each on a host of its own."""
    print(f"WIRE_CHAOS_SEED={SEED}")
    services, folder = own_elasticsearch_and_others, tmp_path_factory.mktemp("islands")
    with hosts("123") as network, Relays() as relays:
        for host in network.addresses:
            for port in services.ports:
                listening = network.socket(host)
                listening.bind(("127.0.0.1", port))
                relays.relay(listening, socket.socket, ("127.0.0.1", port))
        async with cluster(folder, ("n1", "n2", "n3"), services.environ, network, relays) as nodes:
            yield Islands(await begin(nodes, services), network)


async def test_the_leader_is_cut_off(islands: Islands) -> None:
    async with islands.trial.going_on():
        await islands.isolate(await islands.trial.cluster.leader())


async def test_the_owner_of_a_task_is_cut_off(islands: Islands) -> None:
    async with islands.trial.going_on():
        await islands.isolate((await islands.trial.cluster.owners(DOCUMENTS))[0])


@pytest.mark.long
async def test_the_leader_is_heard_by_nobody(islands: Islands) -> None:
    async with islands.trial.going_on():
        await islands.mute(await islands.trial.cluster.leader())


@pytest.mark.long
async def test_the_owner_of_a_task_is_heard_by_nobody(islands: Islands) -> None:
    async with islands.trial.going_on():
        await islands.mute((await islands.trial.cluster.owners(DOCUMENTS))[0])


@pytest.mark.long
async def test_the_leader_and_another_reach_the_third_and_not_each_other(islands: Islands) -> None:
    async with islands.trial.going_on():
        leader = await islands.trial.cluster.leader()
        await islands.part(leader, next(name for name in ("n1", "n2", "n3") if name != leader))
