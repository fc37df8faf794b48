"""A node's lease: who has no worker yet has none, nor who is not told that it leads, nor whose disk is full."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.integration.node.agent_kit import Worked, working
from tests.waiting import insist, until
from wire.cluster.scheduler import SchedulerSettings
from wire.core.clock import Clock, SystemClock
from wire.core.errors import FatalError, RetryableError
from wire.node.leading import Leading
from wire.node.leases import OwnLease, awake
from wire.node.renewing import Renewing
from wire.node.rpc.messages import Us
from wire.raft import Member, MemberId
from wire.testing.clock import VirtualClock


class Stopped:
    """A member that was stopped while it led, and has heard nothing of the others since it goes on."""

    def __init__(self, worked: Worked) -> None:
        self.hears = False
        self.asked = 0
        self._node = worked.served.node

    async def read_barrier(self, timeout_s: float) -> bool:
        self.asked += 1
        return self.hears and await self._node.read_barrier(timeout_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


def renewing_of(node: object, leading: object, lease: OwnLease, clock: Clock) -> Renewing:
    """The renewals of node n1, which calls nobody."""
    return Renewing(
        Us("n1", "c"),
        cast(Any, node),
        cast(Any, leading),
        lease,
        tls=None,
        renewed=lambda: None,
        clock=clock,
        rng=random.Random(1),
    )


async def renewed(leading: Leading, member: Member) -> None:
    leading.renew(member)


async def test_who_leads_has_a_lease_only_once_there_is_a_worker_and_the_others_say_so(tmp_path: Path) -> None:
    async with working(tmp_path, SchedulerSettings(lease_ms=600_000)) as worked, asyncio.TaskGroup() as tasks:
        node, lease, able = Stopped(worked), OwnLease(600_000), asyncio.Event()
        me = await worked.register(worked.served.node.me.name)
        node.me = me
        renewing = renewing_of(node, worked.leading, lease, SystemClock())
        running = [tasks.create_task(worked.leading.run()), tasks.create_task(renewing.run(able))]
        await insist(lambda: renewed(worked.leading, me), on=RetryableError)
        assert node.asked == 0, "it has no worker yet"
        able.set()
        await until(lambda: node.asked > 2)
        assert lease.left_ms(awake()) == 0
        node.hears = True
        await until(lambda: lease.left_ms(awake()) > 0)
        for task in running:
            task.cancel()


async def test_a_node_with_a_full_disk_renews_with_nobody_until_there_is_room() -> None:
    arrived: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, there: arrived.append(there), "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        node = SimpleNamespace(
            me=Member(MemberId("n1/i"), "127.0.0.1:1"),
            status=lambda: SimpleNamespace(leader=Member(MemberId("n2/i"), address)),
            moved=tuple,
            trouble=FatalError("raft.storage.full"),
        )
        clock, able, unused = VirtualClock(), asyncio.Event(), cast(Any, None)
        renewing = renewing_of(node, unused, OwnLease(), clock)
        able.set()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(renewing.run(able))
            for _ in range(20):
                await clock.advance(1.0)
            assert not arrived, "what it does can't be committed: its tasks are to go to others"
            node.trouble = None
            await clock.advance(1.0)
            await until(lambda: bool(arrived))
            running.cancel()
        for there in arrived:
            there.close()


async def test_a_renewal_is_as_late_as_its_answer_and_all_that_was_tried_in_vain_before() -> None:
    clock, able = VirtualClock(), asyncio.Event()
    answers = [True, True, False, True]

    async def read_barrier(_: float) -> bool:
        await clock.sleep(0.3)
        return answers.pop(0)

    me = Member(MemberId("n1/i"), "127.0.0.1:1")
    node = SimpleNamespace(me=me, status=lambda: SimpleNamespace(leader=me), trouble=None, read_barrier=read_barrier)
    leading = SimpleNamespace(renew=lambda _: None)
    renewing = renewing_of(node, leading, OwnLease(), clock)
    able.set()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(renewing.run(able))
        await clock.advance(0.1)
        assert renewing.delays.count == 0
        while answers:
            await clock.advance(0.1)
        await clock.advance(0.3)
        running.cancel()
    assert renewing.delays.count == 2, "the first one was not due yet"
    assert renewing.delays.sum_s == pytest.approx(0.3 + (0.3 + 0.2 + 0.3))
