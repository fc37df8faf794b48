"""A node is known to its cluster for as long as it is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.integration.node.agent_kit import working
from tests.waiting import until
from wire.cluster import commands as c
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import NodeName
from wire.core.clock import SystemClock
from wire.node.control.asking import Asking
from wire.node.registering import stay_registered

NAME = NodeName("n1")


async def test_a_node_that_was_forgotten_registers_again(tmp_path: Path) -> None:
    async with working(tmp_path, SchedulerSettings()) as worked, asyncio.TaskGroup() as tasks:
        clock = SystemClock()
        asking = Asking(worked.served.node, worked.served.machine, clock)

        def command() -> c.RegisterNode:
            return c.RegisterNode(at_ms=asking.now_ms(), name=NAME, incarnation="i", address="n1:1", workers=1)

        registering = tasks.create_task(stay_registered(asking, clock, command))
        for _ in range(2):
            await until(lambda: NAME in worked.state.nodes)
            await worked.served.propose(c.RemoveNode(at_ms=asking.now_ms(), name=NAME))
            assert NAME not in worked.state.nodes
        await until(lambda: NAME in worked.state.nodes)
        registering.cancel()
