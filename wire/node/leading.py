"""What a leader does besides consensus, for as long as it leads: leases, who runs what, and who has a vote.

Nothing here is kept from one term to the next: what counts is in the state, and who is alive is learned anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from wire.cluster.commands import EnableCommands, RevokeNode
from wire.cluster.encoding import NEWEST
from wire.cluster.scheduler import ACTOR, SchedulerSettings, decide, view
from wire.cluster.state import NodeName, TaskKey
from wire.cluster.voters import next_voter
from wire.core.clock import Clock
from wire.core.errors import RetryableError, WireError
from wire.core.timings import Timings
from wire.node.control import listing
from wire.node.control.asking import Asking, error_of
from wire.node.leases import LeaseTable, awake
from wire.node.membership.dismissing import Dismissing
from wire.raft import Member, MemberId, Rejected, Role, Unknown
from wire.raft.threads import in_thread

log = structlog.get_logger()

_TICK_S: Final = 1.0
_ROUND_S: Final = 0.1  # what changes within it is decided about at once
_CHANGE_S: Final = 5.0
_LATE: Final = 1000  # entries: whoever is nearer to the end of the log has caught up, or soon will


class Leading:
    """The work of a leader, done on whichever node leads. `wake` it when the state or the leader has changed."""

    def __init__(
        self, asking: Asking, dismissing: Dismissing, clock: Clock, settings: SchedulerSettings, max_voters: int
    ) -> None:
        """Be ready to lead."""
        self._dismissals = (dismissing.dismiss, dismissing.reap)
        self._dismissing = dismissing
        self._asking = asking
        self._clock = clock
        self._settings = settings
        self._max_voters = max_voters
        self._wake = asyncio.Event()
        self._leases: LeaseTable | None = None
        self._moved: dict[MemberId, Member] = {}
        self._unplaced: dict[TaskKey, str] = {}
        self._term = 0
        self.decisions = Timings()
        """How long it took to decide."""

    def wake(self) -> None:
        """Look again soon. On the event loop."""
        self._wake.set()

    def renew(self, member: Member) -> None:
        """Take the renewal of a node's lease. Raises RetryableError unless this node leads and knows that one."""
        leases = self._known_leases(member)
        leases.renew(NodeName(member.name), awake())
        listed = self._asking.node.members().member(member.id)
        if listed is not None and listed.address != member.address:
            self._moved[member.id] = member
            self.wake()

    def look_for(self, moved: Iterable[Member]) -> None:
        """Reach members that this one does not hear of where another one has: they can't tell themselves."""
        if self._leases is not None and self._leads():
            heard = listing.heard(self._asking.node)
            for member in moved:
                if member.id not in heard:
                    self._asking.node.locate(member)

    def give_up(self, member: Member) -> None:
        """Learn that a node has stopped its work. Raises RetryableError as `renew` does."""
        self._known_leases(member).forget(NodeName(member.name))
        self.wake()

    def _known_leases(self, member: Member) -> LeaseTable:
        if self._leases is None or not self._leads():
            raise RetryableError("raft.not_leader", "this node does not lead, or does so only since now")
        known = self._asking.known.nodes.get(NodeName(member.name))
        if known is None or member.id != f"{known.name}/{known.incarnation}":
            raise RetryableError("cluster.unknown_node", f"the node {member.id} is not registered")
        return self._leases

    def held(self) -> int | None:
        """Return how many nodes hold their lease, None where this node does not lead."""
        return None if self._leases is None else len(self._leases.alive(awake()))

    @property
    def unplaced(self) -> int:
        """How many tasks may run on no node that is there."""
        return len(self._unplaced)

    async def run(self) -> None:
        """Lead whenever this node is the leader, until cancelled."""
        while True:
            self._wake.clear()
            if self._leads():
                await self._lead(self._asking.node.status().term)
            else:
                await self._wait()

    def _leads(self, term: int | None = None) -> bool:
        status = self._asking.node.status()
        return status.role is Role.LEADER and term in (None, status.term)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await self._wake.wait()

    async def _lead(self, term: int) -> None:
        """Lead one term. Nothing is decided before this node knows all that was confirmed before it (I7)."""
        if not await self._asking.node.read_barrier(_CHANGE_S):
            return
        self._term = term
        self._dismissing.begin(term)
        self._leases = LeaseTable(awake(), self._asking.known.nodes, self._settings.lease_ms)
        log.info("leading", term=term)
        try:
            while self._leads(term):
                self._wake.clear()
                for work in (self._decide, self._announce, self._promote, self._enable, *self._dismissals):
                    await self._attempt(work)
                await self._wait()
                await self._clock.sleep(_ROUND_S)
        finally:
            self._leases = None
            self._moved.clear()
            self._unplaced = {}
        log.info("leading_no_more", term=term)

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except RetryableError as exc:
            log.debug("leader_waits", code=exc.code, reason=exc.message)
        except WireError as exc:  # refused: the state is not what it was by now
            log.info("decision_refused", code=exc.code, reason=exc.message)

    async def _decide(self) -> None:
        """Propose what brings the cluster nearer to what it should be; each command is right on its own.

        It is thought about in another thread, since that may take long and heartbeats can't wait. What changes
        meanwhile makes none of the commands wrong: the state refuses or passes over what does not fit it any more.
        They are proposed in this term only: who was stopped takes all others for dead when it goes on.
        """
        leases = self._leases
        if leases is None:
            return
        began_s = self._clock.monotonic()
        decision = await in_thread(
            decide,
            view(self._asking.known),
            leases.leases(),
            now_ms=awake(),
            at_ms=self._clock.now_ms(),
            settings=self._settings,
        )
        self.decisions.observe(self._clock.monotonic() - began_s)
        self._say_unplaced(dict(decision.unplaced))
        for command in decision.commands:
            if isinstance(command, RevokeNode) and leases.is_alive(command.node, awake()):
                continue  # it was heard meanwhile
            await self._asking.carry_out_as_leader(self._term, command)

    def _say_unplaced(self, unplaced: dict[TaskKey, str]) -> None:
        for key, reason in unplaced.items():
            if self._unplaced.get(key) != reason:
                log.warning("task_not_placed", job=key.job, slot=key.slot, reason=reason)
        self._unplaced = unplaced

    async def _announce(self) -> None:
        """Let all members know where one is that came back at another address."""
        for member in list(self._moved.values()):
            _require(await self._asking.node.add_member(member, _CHANGE_S))
            self._moved.pop(member.id, None)
            log.info("member_moved", member=member.id, address=member.address)

    async def _promote(self) -> None:
        """Give the next member a vote that is there and has the log."""
        node, status = self._asking.node, self._asking.node.status()
        leaving = {f"{each.name}/{each.incarnation}" for each in self._asking.known.nodes.values() if each.leaving}
        patience_s = self._settings.lease_ms / 1000
        fit = {
            peer.id
            for peer in status.peers
            if peer.last_contact_s < patience_s
            and peer.match > 0
            and status.commit - peer.match < _LATE
            and peer.id not in leaving
        }
        chosen = next_voter(node.members(), fit, self._max_voters)
        if chosen is not None:
            _require(await node.promote(chosen, _CHANGE_S))
            log.info("member_votes", member=chosen)
            self.wake()

    async def _enable(self) -> None:
        """Let newer commands be proposed once every member says that it understands them."""
        state = self._asking.known
        if state.command_version >= NEWEST or not state.nodes:
            return
        registered = {MemberId(f"{each.name}/{each.incarnation}") for each in state.nodes.values()}
        newest = min(NEWEST, *(each.newest_command for each in state.nodes.values()))
        if newest > state.command_version and all(
            each.id in registered for each in self._asking.node.members().members
        ):
            command = EnableCommands(at_ms=self._clock.now_ms(), actor=ACTOR, version=newest)
            await self._asking.carry_out_as_leader(self._term, command)


def _require(outcome: bytes | Rejected | Unknown) -> None:
    if isinstance(outcome, Rejected):
        raise error_of(outcome)
    if isinstance(outcome, Unknown):
        raise RetryableError("cluster.outcome_unknown", outcome.message)
