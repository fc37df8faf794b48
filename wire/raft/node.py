"""The port: consensus as the rest of Wire uses it, and the one task that turns the replica.

A turn: take what has come in, write the log to disk, send, let the replica tick, and again what that has led to. While
the disk works nothing touches the replica, and what comes in waits; so one sync stands for many proposals.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import structlog

from wire.core.errors import FatalError
from wire.raft.events import Event, Watch
from wire.raft.membership import with_learner, with_voter, without
from wire.raft.replica.library import monotonic
from wire.raft.replica.proposals import Outcome
from wire.raft.replica.recovery import found
from wire.raft.replica.replica import Capture, Replica
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.status import PeerStatus, Status
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.ports import SnapshotInfo, SnapshotWriter
from wire.raft.storage.snapshots import FileSnapshots
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.transport.handshake import Place
from wire.raft.transport.messages import Message
from wire.raft.transport.ports import Admission, TransportSettings
from wire.raft.transport.transport import Transport
from wire.raft.types import Configuration, Member, MemberId, Rejected, StateMachine, Unknown

log = structlog.get_logger()
T = TypeVar("T")

_TICKS_PER_HEARTBEAT: Final = 3
_MAX_WAITING: Final = 10_000  # messages and calls; what comes beyond is lost, as on a network (I8)
_SNAPSHOT_BYTES_PER_TURN: Final = 4 << 20
_RETRY_S: Final = 0.05


def found_cluster(folder: Path, cluster_id: str, founders: Configuration, machine: StateMachine) -> None:
    """Make `folder` that of a founder. Every founder does so once, with the same list and a machine as new. Blocks."""
    settings = RaftSettings()
    requests = Requests(settings.max_requests, settings.max_requests_bytes)
    found(FileSnapshots(DiskFiles(folder / "snapshots"), cluster_id.encode()), founders, machine, requests)


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
        self._todo: deque[Callable[[], None]] = deque()
        self._wake = asyncio.Event()
        self._stack = AsyncExitStack()
        self._watch = Watch()
        self._writing: tuple[Capture, SnapshotWriter] | None = None
        self._snapshot_wanted: list[asyncio.Future[SnapshotInfo]] = []
        self._stopping = False

    async def __aenter__(self) -> Self:
        self._replica = await asyncio.to_thread(self._open)
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
        self._wake.set()
        try:
            await self._stack.__aexit__(kind, exc, trace)
        finally:
            self._replica.close()
            await asyncio.to_thread(self._store.close)
            await asyncio.to_thread(self._snapshots.close)

    def _open(self) -> Replica:
        self._store = WriteAheadLog(DiskFiles(self._folder / "log"), f"{self._cluster_id}/{self.me.id}".encode())
        if self._store.recovered is not None:
            log.warning("raft_log_cut", recovery=str(self._store.recovered))
        self._snapshots = FileSnapshots(DiskFiles(self._folder / "snapshots"), self._cluster_id.encode())
        return Replica(self.me, self._store, self._snapshots, self._machine, self._settings, self._rng)

    # what callers ask

    async def propose(self, command: bytes, request_id: bytes = b"", timeout_s: float = 10.0) -> Outcome:
        """Have a command carried out by all members, and return its result once this member has applied it.

        With a `request_id` of its own it is carried out once, and tried again here while there is time. Rejected means
        that it was not and will not be carried out, Unknown that it may have been or may yet be.
        """
        deadline = monotonic() + timeout_s

        def attempt(done: Callable[[Outcome], None]) -> None:
            self._replica.propose(command, request_id, deadline - monotonic(), done)

        while True:
            outcome = await self._ask(attempt)
            again = isinstance(outcome, Rejected) and outcome.code in ("raft.no_leader", "raft.not_leader")
            again = again or (isinstance(outcome, Unknown) and bool(request_id))
            if not again or monotonic() + _RETRY_S >= deadline:
                return outcome
            await asyncio.sleep(_RETRY_S)

    async def read_barrier(self, timeout_s: float = 10.0) -> bool:
        """Return True once the state machine here has everything that was confirmed before the call (I7)."""
        deadline = monotonic() + timeout_s

        def attempt(done: Callable[[bool], None]) -> None:
            self._replica.barrier(deadline - monotonic(), done)

        while not await self._ask(attempt):
            if monotonic() + _RETRY_S >= deadline:
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
        return await self._change(lambda now: with_voter(now, id_), timeout_s)

    async def remove_member(self, id_: MemberId, timeout_s: float = 10.0) -> Outcome:
        """Remove a member for good. On the leader only, which hands over first if it is the one: ask the next one."""
        if id_ == self.me.id and self._replica.is_leader:
            return await self.transfer_leadership(None, timeout_s) or Rejected(
                "raft.not_leader", "leadership was handed over: ask the new leader", self._leader()
            )
        return await self._change(lambda now: without(now, id_), timeout_s)

    async def transfer_leadership(self, to: MemberId | None = None, timeout_s: float = 10.0) -> Rejected | None:
        """Hand leadership to another voter, and return when another one leads."""

        def begin(done: Callable[[Rejected | None], None]) -> None:
            done(self._replica.hand_over(to))

        refusal = await self._ask(begin)
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(timeout_s):
                await self._watch.until(lambda: not self._replica.is_leader and self._replica.leader is not None)
        except TimeoutError:
            return Rejected("raft.no_leader", "nobody took leadership over in time")
        return None

    async def snapshot(self) -> SnapshotInfo:
        """Take a snapshot of what is applied now, and return once it is on disk."""
        wanted: asyncio.Future[SnapshotInfo] = asyncio.get_running_loop().create_future()
        self._snapshot_wanted.append(wanted)
        self._wake.set()
        return await wanted

    def listen(self, callback: Callable[[Event], None]) -> None:
        """Call back, on the event loop, whenever the leader or the members change, as this member learns it."""
        self._watch.listen(callback)

    def status(self) -> Status:
        """Return how this member is, and, if it leads, how far the others are."""
        replica, now = self._replica, monotonic()
        peers = tuple(
            PeerStatus(MemberId(peer.id), replica.match[peer], now - replica.heard[peer])
            for peer in (*replica.other_voters, *replica.other_learners)
        )
        return Status(
            replica.role,
            replica.term,
            self._leader(),
            replica.commit,
            replica.applied,
            self._store.base[0],
            self._store.last[0],
            tuple(sorted(peers)) if replica.is_leader else (),
        )

    def _leader(self) -> Member | None:
        leader = self._replica.leader
        return self._replica.configuration.member(leader) if leader is not None else None

    async def _change(self, change: Callable[[Configuration], Configuration], timeout_s: float) -> Outcome:
        deadline = monotonic() + timeout_s

        def begin(done: Callable[[Outcome], None]) -> None:
            self._replica.change(change(self._replica.configuration), deadline - monotonic(), done)

        while True:
            outcome = await self._ask(begin)
            waits = isinstance(outcome, Rejected) and outcome.code == "raft.change_under_way"
            if not waits or monotonic() + _RETRY_S >= deadline:
                return outcome
            await asyncio.sleep(_RETRY_S)

    async def _ask(self, call: Callable[[Callable[[T], None]], None]) -> T:
        """Have the replica called in its turn, and return what it answers, at once or later."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(outcome: T) -> None:
            if not answer.done():
                answer.set_result(outcome)

        self._todo.append(lambda: call(done))
        self._wake.set()
        return await answer

    # the network's side

    def admit(self, member: Member) -> Admission:
        """Hear members; and, while nothing is heard of a leader, whoever is of this cluster: it may be a new one."""
        if self._replica.configuration.member(member.id) is not None:
            return Admission.KNOWN
        if member.id in self._watch.former:
            return Admission.REMOVED
        return Admission.UNKNOWN if self._replica.leader is not None else Admission.KNOWN

    def receive(self, sender: MemberId, message: Message) -> None:
        """Take a message in the next turn; drop it if too much is waiting."""
        if len(self._todo) < _MAX_WAITING:
            self._todo.append(lambda: self._replica.receive(sender, message))
            self._wake.set()

    def connected(self, peer: MemberId) -> None:
        """Nothing to do: what was lost is sent again."""

    def disconnected(self, peer: MemberId) -> None:
        """Nothing to do: what was lost is sent again."""

    def refused(self, peer: MemberId, code: str, message: str) -> None:
        """Learn that a peer does not hear us, perhaps because we were removed: an id that was never comes back."""
        if code == "raft.removed_member":
            self._replica.removed = True
            self._wake.set()

    # turning the replica

    async def _run(self) -> None:
        period_s = self._settings.heartbeat_s / _TICKS_PER_HEARTBEAT
        while not self._stopping:
            if not self._todo and not self._replica.unapplied and self._writing is None:
                await self._doze(period_s)
            await self._turn()

    async def _doze(self, seconds: float) -> None:
        self._wake.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _turn(self) -> None:
        for _ in range(len(self._todo)):
            self._todo.popleft()()
        if await self._persist():
            self._replica.tick()
            await self._persist()
        if self._replica.arrived is not None:
            await self._install()
        await self._go_on_with_snapshot()
        if self._watch.see(self._replica):
            self._dial()

    async def _persist(self) -> bool:
        """Have the log on disk, then send (I5). False while the disk is full: nothing leaves, it is tried again."""
        if self._store.dirty:
            try:
                await asyncio.to_thread(self._store.sync)
            except FatalError as error:
                if error.code != "raft.storage.full":
                    raise
                if self.trouble is None:
                    log.warning("raft_disk_full", error=str(error))
                self.trouble = error
                return False
        self.trouble = None
        outbox, self._replica.outbox = self._replica.outbox, []
        for to, message in outbox:
            self.transport.send(to, message)
        return True

    async def _install(self) -> None:
        try:
            await asyncio.to_thread(self._replica.install)
        except FatalError as error:
            if error.code != "raft.snapshot.damaged":
                raise
            log.warning("raft_snapshot_damaged", error=str(error), note="the leader sends it again")
        await self._persist()

    async def _go_on_with_snapshot(self) -> None:
        if self._writing is None:
            if not self._snapshot_wanted and not self._replica.snapshot_due():
                return
            capture = self._replica.capture()
            self._writing = capture, self._snapshots.begin(capture.index, capture.term, capture.configuration)
        capture, writer = self._writing
        if await asyncio.to_thread(_write_some, capture.chunks, writer):
            return
        info = await asyncio.to_thread(writer.commit)
        self._writing = None
        self._replica.captured(info)
        wanted, self._snapshot_wanted = self._snapshot_wanted, []
        for each in wanted:
            if not each.done():
                each.set_result(info)

    def _dial(self) -> None:
        configuration = self._replica.configuration
        members = {each.id: each.address for each in (*configuration.voters, *configuration.learners)}
        self.transport.set_peers(members)
        self.transport.review()


def _write_some(chunks: Iterator[bytes], writer: SnapshotWriter) -> bool:
    """Write some MiB of a snapshot; return whether there is more."""
    written = 0
    for chunk in chunks:
        writer.write(chunk)
        written += len(chunk)
        if written >= _SNAPSHOT_BYTES_PER_TURN:
            return True
    return False
