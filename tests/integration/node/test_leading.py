"""What a leader does while it leads, over real consensus: nodes come, are silent, give up, and move."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from tests.integration.node.agent_kit import Worked, working
from tests.waiting import insist, until
from wire.cluster import commands as c
from wire.cluster.encoding import NEWEST
from wire.cluster.scheduler import Decision, SchedulerSettings, decide
from wire.cluster.state import NodeName
from wire.core.clock import SystemClock
from wire.core.errors import RetryableError
from wire.node import leading as module
from wire.node.control.asking import Asking
from wire.node.leading import Leading
from wire.node.leases import awake
from wire.node.membership.dismissing import Dismissing
from wire.raft import Member, MemberId, RaftNode, Role
from wire.raft.status import Status

PATIENT = SchedulerSettings(lease_ms=600_000)
BRISK = SchedulerSettings(lease_ms=300, settle_ms=50)


@contextlib.asynccontextmanager
async def leading(folder: Path, settings: SchedulerSettings) -> AsyncIterator[Worked]:
    async with working(folder, settings) as worked, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(worked.leading.run())
        yield worked
        running.cancel()


async def renew(worked: Worked, member: Member) -> None:
    """Renew a lease as soon as there is a leader that takes it."""

    async def attempt() -> None:
        worked.leading.renew(member)

    await insist(attempt, on=RetryableError)


def target(worked: Worked) -> str | None:
    return worked.tasks()[0].target if worked.tasks() else None


@contextlib.asynccontextmanager
async def present(worked: Worked, member: Member) -> AsyncIterator[None]:
    """Renew a node's lease again and again."""

    async def keep() -> None:
        while True:
            await renew(worked, member)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()


async def test_tasks_go_to_a_node_whose_lease_is_renewed_and_elsewhere_when_it_gives_up(tmp_path: Path) -> None:
    async with leading(tmp_path, PATIENT) as worked:
        first, second = await worked.register("n1"), await worked.register("n2")
        async with present(worked, first):
            await worked.create()
            await until(lambda: target(worked) == "n1")
        async with present(worked, second):
            worked.leading.give_up(first)
            await until(lambda: target(worked) == "n2")


async def test_tasks_of_a_node_that_is_silent_for_longer_than_its_lease_go_elsewhere(tmp_path: Path) -> None:
    async with leading(tmp_path, BRISK) as worked:
        first, second = await worked.register("n1"), await worked.register("n2")
        async with present(worked, first):
            await worked.create()
            await until(lambda: target(worked) == "n1")
        async with present(worked, second):
            await until(lambda: target(worked) == "n2")


async def test_a_node_that_is_not_registered_or_was_replaced_gets_no_lease(tmp_path: Path) -> None:
    async with leading(tmp_path, PATIENT) as worked:
        await renew(worked, await worked.register("n1"))
        for stranger in ("n1/older", "n9/i"):
            with pytest.raises(RetryableError) as refused:
                worked.leading.renew(Member(MemberId(stranger), "x:1"))
            assert refused.value.code == "cluster.unknown_node"


async def test_who_does_not_lead_gives_no_leases(tmp_path: Path) -> None:
    async with working(tmp_path, PATIENT) as worked:
        with pytest.raises(RetryableError) as refused:
            worked.leading.renew(await worked.register("n1"))
        assert refused.value.code == "raft.not_leader"


async def test_a_member_that_came_back_at_another_address_is_announced_to_all(tmp_path: Path) -> None:
    async with leading(tmp_path, PATIENT) as worked:
        await worked.register("n1")
        me = worked.served.node.me
        await renew(worked, Member(me.id, "127.0.0.1:9"))
        await until(lambda: worked.served.node.members().voters[0].address == "127.0.0.1:9")


class Thinking:
    """Decides as ever, but not before it may; what it proposes is of the state as it was when it began."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()
        self.begun = threading.Event()
        self.threads: set[int] = set()
        self.commands: list[c.AnyCommand] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Decision:
        self.threads.add(threading.get_ident())
        self.begun.set()
        assert self.may.wait(60)
        decision = decide(*args, **kwargs)
        self.commands += decision.commands
        return decision

    async def held(self) -> None:
        """Return when it has begun to think about what there is now."""
        self.may.clear()
        self.begun.clear()
        await until(self.begun.is_set)


@pytest.fixture
def thinking(monkeypatch: pytest.MonkeyPatch) -> Thinking:
    found = Thinking()
    monkeypatch.setattr(module, "decide", found)
    return found


async def test_the_loop_goes_on_while_it_is_decided_and_what_has_changed_meanwhile_is_not_undone(
    tmp_path: Path, thinking: Thinking
) -> None:
    async with leading(tmp_path, PATIENT) as worked:
        first = await worked.register("n1")
        async with present(worked, first):
            await until(thinking.begun.is_set)
            await thinking.held()
            await worked.create()
            thinking.may.set()
            await thinking.held()
            await worked.served.propose(c.DrainNode(at_ms=1, actor="o", name=NodeName("n1"), draining=True))
            thinking.may.set()
            await until(lambda: any(isinstance(each, c.AssignTasks) for each in thinking.commands))
            await thinking.held()
            assert target(worked) is None
            thinking.may.set()
    assert threading.get_ident() not in thinking.threads


async def test_a_node_that_was_heard_while_it_was_decided_keeps_its_tasks(tmp_path: Path, thinking: Thinking) -> None:
    async with leading(tmp_path, BRISK) as worked:
        first = await worked.register("n1")
        async with present(worked, first):
            await worked.create()
            await until(lambda: target(worked) == "n1")
            tasks = (worked.tasks()[0].key,)
            await worked.served.propose(
                c.StartTasks(at_ms=1, node=NodeName("n1"), incarnation="i", tasks=tasks)
            )  # fmt: skip
            await thinking.held()
        heard = awake()
        await until(lambda: awake() - heard > 2 * BRISK.lease_ms)
        thinking.may.set()
        await thinking.held()
        await renew(worked, first)
        thinking.may.set()
        await until(lambda: any(isinstance(each, c.RevokeNode) for each in thinking.commands))
        await thinking.held()
        assert worked.tasks()[0].owner == "n1"
        thinking.may.set()


async def enabled_by_now(worked: Worked, thinking: Thinking) -> int:
    """The version of commands that may be proposed, once the leader has looked; it has proposed nothing in vain."""
    status = worked.served.node.status
    before = status().commit, worked.state.command_version
    for _ in range(2):  # what it decides comes first, then the rest of what a leader does
        thinking.begun.clear()
        worked.leading.wake()
        await until(thinking.begun.is_set)
    assert before[0] == status().commit or before[1] != worked.state.command_version
    return worked.state.command_version


async def test_newer_commands_are_enabled_once_each_member_has_said_that_it_understands_them(
    tmp_path: Path, thinking: Thinking
) -> None:
    async with leading(tmp_path, PATIENT) as worked:
        assert await worked.served.node.add_member(Member(MemberId("n2/i"), "n2:1")) == b""
        await worked.tells("n1", NEWEST)
        assert await enabled_by_now(worked, thinking) == 1, "n2 has said nothing yet"
        await worked.tells("n2", 1)
        assert await enabled_by_now(worked, thinking) == 1, "n2 is older"
        await worked.tells("n2", NEWEST + 1)
        assert await enabled_by_now(worked, thinking) == NEWEST
        assert await enabled_by_now(worked, thinking) == NEWEST


class Past:
    """A member that still believes to lead in the term before: it was stopped, and has heard nothing since."""

    def __init__(self, node: RaftNode) -> None:
        self.looked = 0
        self._node = node

    def status(self) -> Status:
        self.looked += 1
        status = self._node.status()
        return msgspec.structs.replace(status, term=status.term - 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


async def test_what_was_decided_in_an_earlier_term_is_not_carried_out(tmp_path: Path) -> None:
    async with working(tmp_path, PATIENT) as worked, asyncio.TaskGroup() as tasks:
        member = await worked.register("n1")
        await worked.create()
        past = Past(worked.served.node)
        clock = SystemClock()
        asking = Asking(cast(Any, past), worked.served.machine, clock)
        stale = Leading(asking, Dismissing(asking, clock, patience_s=60, reap_after_s=None), clock, PATIENT, 5)
        running = tasks.create_task(stale.run())
        await insist(lambda: _renewed(stale, member), on=RetryableError)
        past.looked = 0
        stale.wake()
        await until(lambda: past.looked > 10)
        assert target(worked) is None
        running.cancel()


async def _renewed(leading: Leading, member: Member) -> None:
    leading.renew(member)


async def test_a_node_is_not_forgotten_by_who_led_in_an_earlier_term(tmp_path: Path) -> None:
    async with working(tmp_path, PATIENT) as worked:
        await until(lambda: worked.served.node.status().role is Role.LEADER)
        name = NodeName("stranger")  # as a leader sees a node whose removal was broken off
        await worked.served.propose(c.RegisterNode(at_ms=1, name=name, incarnation="i", address="x:1", workers=1))
        clock, past = SystemClock(), Past(worked.served.node)
        stale, present = (
            Dismissing(Asking(cast(Any, node), worked.served.machine, clock), clock, patience_s=60, reap_after_s=None)
            for node in (past, worked.served.node)
        )
        stale.begin(past.status().term)
        with pytest.raises(RetryableError) as refused:
            await stale.dismiss()
        assert refused.value.code == "raft.not_leader"
        assert name in worked.served.machine.state.nodes
        present.begin(worked.served.node.status().term)
        await present.dismiss()
        assert name not in worked.served.machine.state.nodes
