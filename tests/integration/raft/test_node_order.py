"""Disk before network (I5): no ack and no vote leaves a member before the sync that it rests on has returned.

A killed process leaves what it wrote to the operating system, so that only a disk that is held up shows the order.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.integration.raft.cluster_kit import Cluster, Host, cluster
from tests.waiting import until
from wire.raft import MemberId
from wire.raft.transport.messages import Append, AppendReply, Message, RequestVote, VoteReply

M = TypeVar("M")


class Watched:
    """A member whose disk can be held up, and what left it, each with what was on its disk by then."""

    def __init__(self, host: Host, patch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.sent: list[tuple[MemberId, Message]] = []
        self.too_early: list[Message] = []
        self.waiting = False
        self._free = threading.Event()
        self._free.set()
        store, transport = host.node._store, host.node.transport
        self._on_disk = store.last[0], store.vote
        sync, send = store.sync, transport.send

        def held_sync() -> None:
            written = store.last[0], store.vote
            self.waiting = True
            assert self._free.wait(60)
            sync()
            self.waiting, self._on_disk = False, written

        def noted_send(to: MemberId, message: Message) -> bool:
            self.sent.append((to, message))
            if not self._holds(to, message):
                self.too_early.append(message)
            return send(to, message)

        patch.setattr(store, "sync", held_sync)
        patch.setattr(transport, "send", noted_send)

    def hold(self) -> None:
        """From now on no sync returns."""
        self.sent.clear()
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def sent_of(self, kind: type[M]) -> list[M]:
        return [message for _, message in self.sent if isinstance(message, kind)]

    def has_promised(self, index: int) -> bool:
        """Whether it has said that its log has an entry."""
        return any(reply.index == index for reply in self.sent_of(AppendReply))

    def _holds(self, to: MemberId, message: Message) -> bool:
        """Whether the disk has what a message promises, or a newer term, in which the message counts for nothing."""
        last, vote = self._on_disk
        match message:
            case AppendReply(success=True):
                return message.index <= last or vote.term > message.term
            case VoteReply(granted=True):
                return (vote.term, vote.candidate) == (message.term, to) or vote.term > message.term
            case RequestVote():
                return (vote.term, vote.candidate) == (message.term, self.host.member.id) or vote.term > message.term
            case _:
                return True


class Members:
    """A cluster of watched members."""

    def __init__(self, its: Cluster, patch: pytest.MonkeyPatch) -> None:
        self.its = its
        self.all = {host.member.id: Watched(host, patch) for host in its.hosts.values()}

    async def leader(self) -> Watched:
        return self.all[(await self.its.leader()).member.id]

    def but(self, *some: Watched) -> list[Watched]:
        return [each for each in self.all.values() if each not in some]

    @property
    def applied(self) -> list[list[bytes]]:
        return [each.host.machine.values for each in self.all.values()]


@pytest.fixture
async def members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Members]:
    async with cluster(tmp_path, "a", "b", "c") as its:
        members = Members(its, monkeypatch)
        try:
            yield members
        finally:
            for each in members.all.values():
                each.let_go()
        assert [message for each in members.all.values() for message in each.too_early] == []


async def test_no_ack_leaves_and_nothing_is_applied_before_the_followers_disk_has_it(members: Members) -> None:
    leader = await members.leader()
    followers = members.but(leader)
    for each in followers:
        each.hold()
    leader.sent.clear()
    proposing = asyncio.get_running_loop().create_task(leader.host.node.propose(b"v", b"request", 60))
    await until(lambda: all(each.waiting for each in followers))
    heartbeats = len(leader.sent_of(Append)) + 6
    await until(lambda: len(leader.sent_of(Append)) >= heartbeats or not leader.host.node._replica.is_leader)
    assert [each.too_early for each in followers] == [[], []]
    assert members.applied == [[], [], []]
    for each in followers:
        each.let_go()
    assert await proposing == b"0"
    await until(lambda: members.applied == [[b"v"]] * 3)


async def test_a_leader_does_not_count_itself_before_its_own_disk_has_it(members: Members) -> None:
    leader = await members.leader()
    follower, stopped = members.but(leader)
    await stopped.host.stop()
    leader.hold()
    follower.sent.clear()
    proposing = asyncio.get_running_loop().create_task(leader.host.node.propose(b"v", b"request", 60))
    await until(lambda: leader.waiting and follower.has_promised(leader.host.node.status().log_last))
    assert leader.host.machine.values == []
    assert follower.host.machine.values == []
    leader.let_go()
    assert await proposing == b"0"
    await until(lambda: follower.host.machine.values == [b"v"])


async def test_no_vote_is_asked_for_or_given_before_it_is_on_disk(members: Members) -> None:
    stopped = await members.leader()
    rest = members.but(stopped)
    await stopped.host.stop()
    for each in rest:
        each.hold()
    await until(lambda: any(each.waiting for each in rest))
    candidate, other = sorted(rest, key=lambda each: not each.waiting)
    assert candidate.too_early == []
    candidate.let_go()
    await until(lambda: other.waiting)
    assert other.too_early == []
    other.let_go()
    assert await members.leader() in rest
