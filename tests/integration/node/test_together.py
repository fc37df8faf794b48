"""Blank nodes that meet over real ports, with real folders: they stop and lose their folders at any moment.

The cluster itself is not at work: whoever belongs to it lets newcomers in.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from tests.integration.node.listener_kit import RPC, port
from tests.services.ports import free_ports
from tests.sim.seeds import first_seed
from tests.waiting import until
from wire.core.clock import SystemClock
from wire.node.calls import JOIN, WHO, Joined, Joining, Who
from wire.node.data_dir import data_dir
from wire.node.front import Front
from wire.node.membership.entering import Entrance
from wire.node.membership.founding import Standing
from wire.node.membership.together import Together, standing
from wire.node.membership.waiting import Waiting
from wire.node.rpc.messages import Caller, Us
from wire.node.rpc.server import RpcServer

FIRST = first_seed()


class QuickClock(SystemClock):
    """Does not wait long for anything."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 50)


class Blank:
    """A node that gets into a cluster, or is there, while its task runs."""

    def __init__(self, folder: Path, name: str, addresses: list[str], address: str) -> None:
        self.path = folder / name
        self.name = name
        self.address = address
        self.cluster: str | None = None
        self.front = Front()
        self.asked = 0
        self._addresses = addresses
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        self.cluster = None
        self._task = group.create_task(self._live())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        self.cluster = None

    async def _live(self) -> None:
        rng, clock = random.Random(self.name), QuickClock()
        with data_dir(self.path, self.name) as data:
            server = RpcServer(Us(self.name), lambda _: False, secure=False)

            async def who(_request: Who, _caller: Caller) -> Standing:
                self.asked += 1
                return standing(data, self.address, len(self._addresses))

            async def join(_request: Joining, _caller: Caller) -> Joined:
                return Joined(cluster=data.identity.cluster)

            server.handle(WHO, who)
            server.handle(JOIN, join)
            async with port(None, address=self.address) as here:
                here.listener.hear(RPC, server.accept)
                self.cluster = (
                    data.identity.cluster
                    or await Together(
                        data,
                        Entrance(self.address, None, None, rng),
                        self._addresses,
                        len(self._addresses),
                        waiting=Waiting(self.front, clock),
                        clock=clock,
                        on_error=_fail,
                    ).found_or_join()
                )
                await asyncio.Event().wait()


def _fail(exc: Exception) -> None:
    raise exc


def at_rest(nodes: list[Blank]) -> bool:
    return all(node.cluster is not None for node in nodes)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 5))
async def test_they_end_in_one_cluster_whatever_happens_meanwhile(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    addresses = [f"127.0.0.1:{number}" for number in free_ports(3)]
    nodes = [Blank(tmp_path, f"n{i}", addresses, address) for i, address in enumerate(addresses, 1)]
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            node.start(group)
        for _ in range(rng.randrange(1, 8)):
            moment = sum(node.asked for node in nodes) + rng.randrange(30)
            await until(lambda moment=moment: at_rest(nodes) or sum(node.asked for node in nodes) >= moment)  # type: ignore[misc]
            victim = rng.choice(nodes)
            await victim.stop()
            if rng.random() < 0.5 and victim.path.exists():  # it may not have come to make one
                shutil.rmtree(victim.path)
            victim.start(group)
        await until(lambda: at_rest(nodes), 60)
        assert len({node.cluster for node in nodes}) == 1
        for node in nodes:
            await node.stop()


async def test_two_of_three_say_whom_they_wait_for(tmp_path: Path) -> None:
    addresses = [f"127.0.0.1:{number}" for number in free_ports(3)]
    nodes = [Blank(tmp_path, f"n{i}", addresses, address) for i, address in enumerate(addresses[:2], 1)]
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            node.start(group)
        reason = f"it belongs to no cluster yet: no answer from {addresses[2]}"
        await until(lambda: nodes[0].front.checks[0].message == reason)
        others = {check.name: check for check in nodes[0].front.checks[1:]}
        assert others.keys() == set(addresses[1:])
        assert others[addresses[1]].ok
        assert "can't be reached" in others[addresses[2]].message
        for node in nodes:
            await node.stop()
