"""One member of a small world: a real replica, turned by choices alone."""

from __future__ import annotations

import random
from typing import Final, TypeAlias

import pysyncobj.syncobj
from msgspec import Struct

from tests.sim.disk import SimulatedFiles
from tests.sim.raft.checks import ViolationError
from tests.sim.raft.machine import Ledger
from tests.sim.raft.witness import Witness
from wire.core.errors import FatalError
from wire.raft.replica.proposals import Outcome
from wire.raft.replica.recovery import found
from wire.raft.replica.replica import Replica
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.held import HeldLog
from wire.raft.storage.records import Change as LogChange
from wire.raft.storage.records import State
from wire.raft.storage.replay import Replay
from wire.raft.storage.snapshots import FileSnapshots
from wire.raft.transport.messages import Message
from wire.raft.types import Configuration, Member, MemberId

_LONG_S: Final = 1e6
PATIENCE_S: Final = 5.0
SETTINGS: Final = RaftSettings(
    heartbeat_s=1.0,
    max_append_bytes=1,
    election_min_s=_LONG_S,
    election_max_s=2 * _LONG_S,
    snapshot_entries=1 << 30,  # a choice takes them
    trailing_entries=0,
    max_requests=10,
)


class Deliver(Struct, frozen=True):
    """A message arrives."""

    sender: MemberId
    message: Message


class Heartbeat(Struct, frozen=True):
    """Time passes, so much that a leader takes for lost what has no answer, and sends it again."""


class Campaign(Struct, frozen=True):
    """A pre-vote was won."""


class Propose(Struct, frozen=True):
    """A client asks for a value to be appended."""

    value: bytes


class Read(Struct, frozen=True):
    """A client asks for a linearizable read (I7): it has to see so many values, which a client has heard of by now."""

    confirmed: int


class Alter(Struct, frozen=True):
    """An operator asks for other members."""

    wanted: Configuration


class HandOver(Struct, frozen=True):
    """An operator asks for another leader."""


class Snapshot(Struct, frozen=True):
    """What was applied is put into a snapshot, and the log before it dropped."""


class Restart(Struct, frozen=True):
    """The process ends between two turns, and begins again."""


class Fuse(Struct, frozen=True):
    """The power will fail in the next turn, where it would sync for the n-th time."""

    sync: int


Choice: TypeAlias = (
    Deliver | Heartbeat | Campaign | Propose | Read | Alter | HandOver | Snapshot | Restart | Fuse
)  # fmt: skip


Sent: TypeAlias = tuple[tuple[MemberId, Message], ...]
"""What came of a choice for others."""


class _PowerCutError(Exception):
    pass


class _Disk:
    """A log in memory. What was not synced is lost with the one who wrote it."""

    def __init__(self) -> None:
        self._synced: list[LogChange] = []

    def open(self) -> _Log:
        replay = Replay(State())
        replay.apply(self._synced, "log")
        return _Log(replay, self._synced)


class _Log(HeldLog):
    def __init__(self, replay: Replay, synced: list[LogChange]) -> None:
        super().__init__(replay.memory, replay.vote, [])
        self._synced = synced

    def sync(self) -> None:
        self._synced += self._pending
        self._pending.clear()

    def tidy(self) -> bool:
        return False

    def close(self) -> None:
        pass


class _Told(Struct):
    """Hears what becomes of a proposal."""

    host: Host
    value: bytes

    def __call__(self, outcome: Outcome) -> None:
        if isinstance(outcome, bytes) and self.value:
            host = self.host
            host.witness = host.witness.told(host.me.id, host.machine, self.value, int(outcome))


class _Reading(Struct):
    """Hears whether a read may begin, and reads."""

    host: Host
    confirmed: int

    def __call__(self, may_read: bool) -> None:
        host = self.host
        if may_read:
            host.witness = host.witness.read(host.me.id, host.machine, self.confirmed)


class Host:
    """A member with its disk; `founders` begin with the same snapshot, anybody else with nothing."""

    def __init__(self, me: Member, founders: Configuration) -> None:
        self.me = me
        self.lives = 0
        self.cut_in = 0
        self.witness = Witness()
        self._now = 1000.0
        self._disk = _Disk()
        self._files = SimulatedFiles(random.Random(1))
        if founders.member(me.id) is not None:
            found(FileSnapshots(self._files, b"small"), founders, Ledger(), Requests(10, 1 << 20))
        self._open()

    def _open(self) -> None:
        pysyncobj.syncobj.monotonicTime = self.clock
        self.lives += 1
        self.cut_in = 0
        self.log = self._disk.open()
        self.snapshots = FileSnapshots(self._files, b"small")
        self.machine = Ledger()
        self.replica = Replica(
            self.me, self.log, self.snapshots, self.machine, SETTINGS, random.Random(self.lives)
        )  # fmt: skip
        self._show()

    def clock(self) -> float:
        """What the replica takes for the time."""
        return self._now

    def take(self, choice: Choice) -> Sent:
        """Make one turn, as a driver does. Raises ViolationError."""
        pysyncobj.syncobj.monotonicTime = self.clock
        self._sent: list[tuple[MemberId, Message]] = []
        try:
            self._begin(choice)
            if not isinstance(choice, Fuse):
                self._turn()
        except _PowerCutError:
            self._show()
            self._open()
        except FatalError as error:
            raise ViolationError(f"{self.me.id}: {error}") from error
        self._show()
        return tuple(self._sent)

    def _show(self) -> None:
        self.witness = self.witness.seen(self.me.id, self.replica, self.machine)

    def _begin(self, choice: Choice) -> None:
        replica = self.replica
        match choice:
            case Deliver(sender, message):
                replica.receive(sender, message)
            case Heartbeat():
                self._now += PATIENCE_S
            case Campaign():
                replica._pre_vote_won = True
            case Propose(value):
                replica.propose(value, b"", _LONG_S, _Told(self, value))
            case Read(confirmed):
                replica.barrier(_LONG_S, _Reading(self, confirmed))
            case Alter(wanted):
                replica.change(wanted, _LONG_S, _Told(self, b""))
            case HandOver():
                replica.hand_over(None)
            case Snapshot():
                self._take_snapshot()
            case Restart():
                self._open()
            case Fuse(sync):
                self.cut_in = sync

    def _turn(self) -> None:
        if self.replica.transfers:
            self.replica.transfer()
        self._sent += self.replica.ahead_of_sync()
        self._persist()
        self.replica.tick()
        self._persist()

    def _persist(self) -> None:
        if self.cut_in:
            self.cut_in -= 1
            if self.cut_in == 0:
                raise _PowerCutError
        self.log.sync()
        self._sent += self.replica.outbox
        self.replica.outbox = []

    def _take_snapshot(self) -> None:
        capture = self.replica.capture()
        writer = self.snapshots.begin(capture.index, capture.term, capture.configuration)
        for chunk in capture.chunks:
            writer.write(chunk)
        self.replica.captured(writer.commit())
