"""Members that go: who is to leave, once others have its work, and who was not heard of for too long. On the leader.

What is wanted is in the state (a node that is `leaving`), so whoever leads next goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from wire.cluster.commands import RemoveNode
from wire.cluster.scheduler import ACTOR
from wire.cluster.state import NodeName
from wire.cluster.voters import keeps_quorum
from wire.core.clock import Clock
from wire.node.control import listing
from wire.node.control.asking import Asking
from wire.node.control.changing import require
from wire.raft import Member, MemberId

log = structlog.get_logger()

_CHANGE_S: Final = 5.0
_NOTICE_S: Final = 2.0  # several heartbeats: who is to leave knows that it is, and ends as one that has left
_LONGEST_LOOK_S: Final = 2.0
_ANEW: Final = "with an empty data folder it can join as somebody new"


class Silence:
    """For how long nothing was heard of each member, while somebody looked.

    Only time that is looked at counts: a leader that was stopped for an hour has not missed anybody for an hour.
    """

    def __init__(self) -> None:
        """Begin with nobody missed."""
        self._looked_s: float | None = None
        self._silent_s: dict[MemberId, float] = {}

    def look(self, now_s: float, last_contact_s: Mapping[MemberId, float]) -> dict[MemberId, float]:
        """Look at how long ago each was heard of, and return how long those have been missed that are."""
        passed_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        missed = [id_ for id_, ago_s in last_contact_s.items() if ago_s >= listing.SILENT_S]
        self._silent_s = {id_: self._silent_s.get(id_, listing.SILENT_S - passed_s) + passed_s for id_ in missed}
        return dict(self._silent_s)


class Dismissing:
    """Removes members. Each of its methods does a part of it and is called again and again while this node leads."""

    def __init__(self, asking: Asking, clock: Clock, *, patience_s: float, reap_after_s: float | None) -> None:
        """Give who leaves `patience_s` until its work is with others, and reap no one if `reap_after_s` is None."""
        self._asking = asking
        self._clock = clock
        self._patience_s = patience_s
        self._reap_after_s = reap_after_s
        self.begin(0)

    def begin(self, term: int) -> None:
        """Begin to lead in that term: what was seen before counts for nothing."""
        self._term = term
        self._seen_s: dict[MemberId, float] = {}
        self._held_up: set[MemberId] = set()
        self._silence = Silence()

    async def dismiss(self) -> None:
        """Remove who is to leave and has no work any more, or has had time enough. This node comes last."""
        node = self._asking.node
        leaving = sorted(self._leaving(), key=lambda each: each.id == node.me.id)
        for member in leaving:
            now_s = self._clock.monotonic()
            waited_s = now_s - self._seen_s.setdefault(member.id, now_s)
            busy = len(self._asking.known.tasks.owned_by(NodeName(member.name)))
            if waited_s < (self._patience_s if busy else _NOTICE_S):
                continue
            if busy:
                log.warning("leaves_with_tasks", member=member.id, tasks=busy, after_s=round(waited_s))
            if not await self._can_do_without(member):
                continue
            if member.id == node.me.id:
                rejected = await node.transfer_leadership(None, _CHANGE_S)
                require(rejected or b"")
                return
            await self._remove(member)
            log.info("member_left", member=member.id)
        await self._forget()

    async def reap(self) -> None:
        """Remove one member that was not heard of for too long, if those who are heard of decide without it."""
        if self._reap_after_s is None:
            return
        node = self._asking.node
        contacts = {peer.id: peer.last_contact_s for peer in node.status().peers}
        missed = self._silence.look(self._clock.monotonic(), contacts)
        for id_, silent_s in sorted(missed.items()):
            member, heard = node.members().member(id_), listing.heard(node)
            if member is None or silent_s < self._reap_after_s:
                continue
            if not keeps_quorum(node.members(), heard, id_):
                self._hold_up(member, "too few of those that vote are heard of")
                continue
            await self._remove(member)
            log.warning("member_reaped", member=id_, silent_s=round(silent_s), hint=_ANEW)
            return

    def _leaving(self) -> Iterator[Member]:
        members = self._asking.node.members()
        for each in self._asking.known.nodes.values():
            member = members.member(MemberId(f"{each.name}/{each.incarnation}"))
            if each.leaving and member is not None:
                yield member

    async def _can_do_without(self, member: Member) -> bool:
        """Say whether a member may go now; give another one its vote first, where it is the only one that has one."""
        node = self._asking.node
        now, heard = node.members(), listing.heard(node)
        if member not in now.voters or member.id not in heard or keeps_quorum(now, heard, member.id):
            return True
        staying = heard - {each.id for each in self._leaving()}
        heirs = sorted(each.id for each in now.learners if each.id in staying)
        if now.voters == (member,) and heirs:
            require(await node.promote(heirs[0], _CHANGE_S))
            log.info("member_votes", member=heirs[0])
            return True
        self._hold_up(member, "without it too few of those that vote would be heard of")
        return False

    async def _remove(self, member: Member) -> None:
        require(await self._asking.node.remove_member(member.id, _CHANGE_S))
        await self._forget_node(NodeName(member.name))

    async def _forget(self) -> None:
        """Forget nodes whose removal was broken off: nobody of their name is a member any more."""
        names = {each.name for each in self._asking.node.members().members}
        for name in [name for name in self._asking.known.nodes if name not in names]:
            await self._forget_node(name)

    async def _forget_node(self, name: NodeName) -> None:
        command = RemoveNode(at_ms=self._asking.now_ms(), actor=ACTOR, name=name)
        await self._asking.carry_out_as_leader(self._term, command)  # whoever leads next may know it as somebody new

    def _hold_up(self, member: Member, reason: str) -> None:
        if member.id not in self._held_up:
            self._held_up.add(member.id)
            log.warning("removal_waits", member=member.id, reason=reason)
