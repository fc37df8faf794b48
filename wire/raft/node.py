"""The port: consensus as the rest of Wire uses it, and the one task that turns the replica.

A turn: take what has come in, send entries, write the log to disk, send all else, let the replica tick, and again what
that has led to. While the disk works nothing touches the replica, and what comes in waits; so one sync stands for many
proposals.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from wire.core.errors import FatalError, UnavailableError
from wire.raft.addresses import Addresses
from wire.raft.events import Event, Watch
from wire.raft.inbox import Inbox
from wire.raft.membership import with_learner, with_voter, without
from wire.raft.replica.library import monotonic
from wire.raft.replica.proposals import Outcome
from wire.raft.replica.replica import Replica
from wire.raft.replica.settings import RaftSettings
from wire.raft.snapshotting import Snapshotting
from wire.raft.status import Figures, Status, peers_of
from wire.raft.storage.folder import open_member_log, open_member_snapshots
from wire.raft.storage.locking import locked
from wire.raft.storage.ports import LogStore, SnapshotInfo
from wire.raft.threads import in_thread
from wire.raft.transport.handshake import Place
from wire.raft.transport.messages import Message, held_bytes
from wire.raft.transport.ports import Admission, TransportSettings
from wire.raft.transport.transport import Transport
from wire.raft.types import Configuration, Member, MemberId, Rejected, StateMachine, Unknown

log = structlog.get_logger()

_TICKS_PER_HEARTBEAT: Final = 3
_TIDY_S: Final = 1.0
_MOST_HELD_BACK: Final = 1000  # messages, while the disk is full
_RETRY_S: Final = 0.05
_PASSING: Final = ("raft.no_leader", "raft.not_leader", "raft.storage.full")
_STOPPED: Final = Unknown("this member stopped")


class RaftNode:
    """One member at work. `async with` it; an error of its storage that can't be gone on with ends the block."""

    def __init__(
        self,
        me: Member,
        cluster_id: str,
        folder: Path,
        machine: StateMachine,
        *,
        tls: ssl.SSLContext | None,
        rng: random.Random,
        settings: RaftSettings | None = None,
        transport_settings: TransportSettings | None = None,
    ) -> None:
        """Be `me` in the cluster, with what is in `folder`; `tls` is the context to dial others with."""
        self.me = me
        self._cluster_id = cluster_id
        self._folder = folder
        self._machine = machine
        self._rng = rng
        self._settings = settings or RaftSettings()
        self.transport = Transport(Place(cluster_id, me), self, tls=tls, rng=rng, settings=transport_settings)
        self.trouble: FatalError | None = None
        """Why nothing is acknowledged at the moment: a disk that is full."""
        self.figures = Figures()
        self._inbox = Inbox()
        self._addresses = Addresses()
        self._stack = AsyncExitStack()
        self._storage = ExitStack()
        self._watch = Watch()
        self._snapshotting = Snapshotting()
        self._tidy_due = 0.0
        self._stopping = False

    async def __aenter__(self) -> Self:
        try:
            self._replica = await in_thread(self._open_storage)
        except BaseException:
            await in_thread(self._storage.close)
            raise
        self.figures.applies = self._replica.applies
        await self._stack.enter_async_context(self.transport)
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._watch.see(self._replica)
        self._dial()
        group.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._inbox.wake.set()
        try:
            await self._stack.__aexit__(kind, exc, trace)
        finally:
            self._replica.close()
            self._inbox.close()
            self._snapshotting.stop()
            await in_thread(self._storage.close)

    def _open_storage(self) -> Replica:
        self._storage.enter_context(locked(self._folder))
        self._store = self._open_log()
        self._storage.callback(self._store.close)
        self._snapshots = open_member_snapshots(self._folder, self._cluster_id)
        self._storage.callback(self._snapshots.close)
        return Replica(self.me, self._store, self._snapshots, self._machine, self._settings, self._rng)

    def _open_log(self) -> LogStore:
        size, compress = self._settings.segment_bytes, self._settings.compress_segments
        return open_member_log(self._folder, self._cluster_id, self.me.id, segment_bytes=size, compress=compress)

    # what callers ask

    async def propose(self, command: bytes, request_id: bytes = b"", timeout_s: float = 10.0) -> Outcome:
        """Have a command carried out by all members, and return its result once this member has applied it.

        With a `request_id` of its own it is carried out once, and tried again here while there is time. Rejected means
        that it was not and will not be carried out, Unknown that it may have been or may yet be.
        """
        deadline = monotonic() + timeout_s
        unknown: Unknown | None = None

        def attempt(done: Callable[[Outcome], None]) -> None:
            left_s = deadline - monotonic()
            if request_id:  # a message may be lost, and asking once more does no harm
                left_s = min(left_s, 2 * self._settings.election_max_s)
            self._replica.propose(command, request_id, left_s, done)

        began = monotonic()
        while True:
            outcome = await self._outcome(attempt, len(command))
            if isinstance(outcome, bytes):
                self.figures.proposals.observe(monotonic() - began)
            again = isinstance(outcome, Rejected) and outcome.code in _PASSING
            if isinstance(outcome, Unknown):
                unknown, again = outcome, bool(request_id)
            if not again or self._stopping or monotonic() + _RETRY_S >= deadline:
                return unknown if unknown is not None and isinstance(outcome, Rejected) else outcome
            await asyncio.sleep(_RETRY_S)

    async def propose_as_leader(self, term: int, command: bytes, timeout_s: float = 10.0) -> Outcome:
        """Propose only if this member leads, and still in that term: the next leader is not to carry it out."""

        def attempt(done: Callable[[Outcome], None]) -> None:
            if self._replica.is_leader and self._replica.term == term:
                self._replica.propose(command, b"", timeout_s, done)
            else:
                done(Rejected("raft.not_leader", f"this member does not lead in term {term}", self._leader()))

        return await self._outcome(attempt, len(command))

    async def read_barrier(self, timeout_s: float = 10.0) -> bool:
        """Return True once the state machine here has everything that was confirmed before the call (I7)."""
        deadline = monotonic() + timeout_s

        def attempt(done: Callable[[bool], None]) -> None:
            self._replica.barrier(min(deadline - monotonic(), 2 * self._settings.election_max_s), done)

        while self._refusal() is not None or not await self._inbox.ask(attempt, otherwise=False):
            if self._stopping or monotonic() + _RETRY_S >= deadline:
                return False
            await asyncio.sleep(_RETRY_S)
        return True

    def members(self) -> Configuration:
        """Return the members as this one knows them, a change under way included."""
        return self._replica.configuration

    async def add_member(self, member: Member, timeout_s: float = 10.0) -> Outcome:
        """Let somebody get the log, without a vote; or change where a member is reached. On the leader only."""
        return await self._change(lambda now: with_learner(now, member), timeout_s)

    async def promote(self, id_: MemberId, timeout_s: float = 10.0) -> Outcome:
        """Give a member that has caught up a vote. On the leader only."""
        return self._stranger(id_) or await self._change(lambda now: with_voter(now, id_), timeout_s)

    async def remove_member(self, id_: MemberId, timeout_s: float = 10.0) -> Outcome:
        """Remove a member for good. On the leader only, which hands over first if it is the one: ask the next one."""
        if id_ == self.me.id and self._replica.is_leader:
            return await self.transfer_leadership(None, timeout_s) or Rejected(
                "raft.not_leader", "leadership was handed over: ask the new leader", self._leader()
            )
        return self._stranger(id_) or await self._change(lambda now: without(now, id_), timeout_s)

    async def transfer_leadership(self, to: MemberId | None = None, timeout_s: float = 10.0) -> Rejected | None:
        """Hand leadership to another voter, and return when another one leads."""

        def begin(done: Callable[[Rejected | None], None]) -> None:
            done(self._replica.hand_over(to))

        stopped: Rejected | None = Rejected("raft.stopped", _STOPPED.message)
        refusal = self._refusal() or await self._inbox.ask(begin, stopped)
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(timeout_s):
                await self._watch.until(lambda: not self._replica.is_leader and self._replica.leader is not None)
        except TimeoutError:
            return Rejected("raft.no_leader", "nobody took leadership over in time")
        return None

    async def snapshot(self) -> SnapshotInfo:
        """Take a snapshot of what is applied now, and return once it is on disk. Raises FatalError if it can't be."""
        if self._stopping:
            raise UnavailableError("raft.stopped", _STOPPED.message)
        self._inbox.wake.set()
        return await self._snapshotting.wanted()

    def listen(self, callback: Callable[[Event], None]) -> None:
        """Call back, on the event loop, whenever the leader or the members change, as this member learns it."""
        self._watch.listen(callback)

    def status(self) -> Status:
        """Return how this member is, and, if it leads, how far the others are."""
        replica = self._replica
        return Status(
            replica.role,
            replica.term,
            self._leader(),
            replica.commit,
            replica.applied,
            self._store.base[0],
            self._store.last[0],
            peers_of(replica, monotonic()) if replica.is_leader else (),
            self.transport.counters.copy(),
            self._inbox.dropped,
        )

    @property
    def log_bytes(self) -> int:
        """How large the log is on disk."""
        return self._store.disk_bytes

    def _leader(self) -> Member | None:
        leader = self._replica.leader
        return self._replica.configuration.member(leader) if leader is not None else None

    async def _change(self, change: Callable[[Configuration], Configuration], timeout_s: float) -> Outcome:
        deadline = monotonic() + timeout_s

        def begin(done: Callable[[Outcome], None]) -> None:
            self._replica.change(change(self._replica.configuration), deadline - monotonic(), done)

        while True:
            outcome = await self._outcome(begin)
            waits = isinstance(outcome, Rejected) and outcome.code == "raft.change_under_way"
            if not waits or monotonic() + _RETRY_S >= deadline:
                return outcome
            await asyncio.sleep(_RETRY_S)

    def _stranger(self, id_: MemberId) -> Rejected | None:
        if self._replica.configuration.member(id_) is not None:
            return None
        return Rejected("raft.unknown_member", f"there is no member {id_}", self._leader())

    def _refusal(self, size: int = 0) -> Rejected | None:
        """Say why nothing of so many bytes can be asked for now."""
        if self._stopping:
            return Rejected("raft.stopped", _STOPPED.message)
        if self.trouble is not None:
            return Rejected(self.trouble.code, self.trouble.message)
        if not self._inbox.has_room(size):
            return Rejected("raft.busy", "too many callers wait here already: try again later, or ask another member")
        return None

    async def _outcome(self, call: Callable[[Callable[[Outcome], None]], None], size: int = 0) -> Outcome:
        refusal = self._refusal(size)
        return refusal if refusal is not None else await self._inbox.ask(call, _STOPPED, size)

    def locate(self, member: Member) -> None:
        """Learn where a member says that it is reached, and dial it there, whatever the configuration said of it."""
        if self._addresses.say(self._replica.configuration, member):
            self._inbox.wake.set()

    def moved(self) -> tuple[Member, ...]:
        """Return members that are dialed elsewhere than the configuration says."""
        return self._addresses.moved(self._replica.configuration)

    # the network's side

    def admit(self, member: Member) -> Admission:
        """Hear members; and, while nothing is heard of a leader, whoever is of this cluster: it may be a new one."""
        replica = self._replica
        if replica.configuration.member(member.id) is not None:
            self.locate(member)
            return Admission.KNOWN
        if replica.was_removed(member.id):
            return Admission.REMOVED
        if replica.hears_leader and member.id != replica.leader:
            return Admission.UNKNOWN
        if self._addresses.meet(member):
            self._inbox.wake.set()
        return Admission.KNOWN

    def receive(self, sender: MemberId, message: Message) -> None:
        """Take a message in the next turn; drop it if too much is waiting."""
        self._inbox.put(lambda: self._replica.receive(sender, message), held_bytes(message))

    def connected(self, peer: MemberId) -> None:
        """Nothing to do: what was lost is sent again."""

    def disconnected(self, peer: MemberId) -> None:
        """Nothing to do: what was lost is sent again."""

    def refused(self, peer: MemberId, code: str, message: str) -> None:
        """Learn that a peer does not hear us, perhaps because we were removed: an id that was never comes back."""
        if code == "raft.removed_member":
            self._replica.removed = True
            self._inbox.wake.set()

    # turning the replica

    async def _run(self) -> None:
        period_s = self._settings.heartbeat_s / _TICKS_PER_HEARTBEAT
        while not self._stopping:
            replica = self._replica
            busy = self._inbox or replica.unapplied or replica.transfers or self._snapshotting.under_way
            if not busy or self.trouble is not None:
                await self._inbox.doze(period_s)
            await self._turn()
            await asyncio.sleep(0)  # what is sent has to be written, and others have work of their own

    async def _turn(self) -> None:
        self._inbox.work()
        if self._replica.transfers:
            await self._transfer()  # before anybody is told that a read may begin
        self._send(self._replica.ahead_of_sync())
        if await self._persist():
            self._replica.tick()
            await self._persist()
        else:
            self._replica.expire()
        await self._snapshotting.go_on(self._replica, self._snapshots)
        if self._watch.see(self._replica) or self._addresses.changed:
            self._dial()
        if not self._inbox and monotonic() >= self._tidy_due:
            await self._tidy()

    async def _tidy(self) -> None:
        """Give back what the log does not need any more: where nothing is proposed no sync does so."""
        try:
            more = await in_thread(self._store.tidy)
        except FatalError as error:
            if error.code != "raft.storage.full":
                raise
            more = False
        self._tidy_due = monotonic() + (0 if more else _TIDY_S)

    async def _persist(self) -> bool:
        """Have the log on disk, then send (I5). False while the disk is full: nothing leaves, it is tried again."""
        if self._store.dirty:
            began = monotonic()
            try:
                await in_thread(self._store.sync)
                self.figures.syncs.observe(monotonic() - began)
            except FatalError as error:
                if error.code != "raft.storage.full":
                    raise
                if self.trouble is None:
                    log.warning("raft_disk_full", error=str(error))
                self.trouble = error
                self._replica.step_down()
                del self._replica.outbox[:-_MOST_HELD_BACK]
                return False
        self.trouble = None
        outbox, self._replica.outbox = self._replica.outbox, []
        self._send(outbox)
        return True

    def _send(self, messages: Iterable[tuple[MemberId, Message]]) -> None:
        for to, message in messages:
            self.transport.send(to, message)

    async def _transfer(self) -> None:
        """Let pass what could not be received: the leader sends it again."""
        try:
            await in_thread(self._replica.transfer)
        except FatalError as error:
            if error.code not in ("raft.storage.full", "raft.snapshot.damaged", "raft.snapshot.gone"):
                raise
            log.warning("raft_snapshot_not_received", error=str(error))

    def _dial(self) -> None:
        self.transport.set_peers(self._addresses.to_dial(self._replica.configuration, self._replica.leader))
        self.transport.review()
