"""`Replica`: what a driver turns, and what callers ask of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from wire.core.errors import FatalError
from wire.raft.membership import following
from wire.raft.replica.configurations import Configurations, command_of
from wire.raft.replica.library import Peer, monotonic
from wire.raft.replica.proposals import Outcome, Ticket
from wire.raft.replica.proposing import NOT_LEADER, Proposing
from wire.raft.replica.recovery import recover, restore
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.ports import LogStore, SnapshotInfo, SnapshotReceiver, SnapshotStore
from wire.raft.transport import messages as m
from wire.raft.types import Configuration, Member, MemberId, Rejected, StateMachine

_EXPIRY_S: Final = 0.05


class Capture(Struct, frozen=True):
    """A snapshot to be written: what it covers, the configuration as of then, and its chunks."""

    index: int
    term: int
    configuration: Configuration
    chunks: Iterator[bytes]


class Replica(Proposing):
    """One member. Not for concurrent use; every method returns at once but `transfer`, which blocks."""

    def __init__(
        self,
        me: Member,
        store: LogStore,
        snapshots: SnapshotStore,
        machine: StateMachine,
        settings: RaftSettings,
        rng: random.Random,
    ) -> None:
        """Recover from the storage. Blocks. Raises FatalError for a storage that can't be gone on with."""
        requests = Requests(settings.max_requests, settings.max_requests_bytes)
        recovered = recover(store, snapshots, machine, requests)
        self._expiry_due = 0.0
        self._installed: int | None = None
        super().__init__(me, store, snapshots, machine, requests, recovered, settings, rng)

    @property
    def configuration(self) -> Configuration:
        """The members, the newest change included, whether it is committed or not."""
        return self._configurations.newest

    def was_removed(self, id_: MemberId) -> bool:
        """Whether somebody was removed for good, by a change that can't be taken back any more."""
        return id_ in self._configurations.at(self.commit).removed

    # the driver's side

    def receive(self, sender: MemberId, message: m.Message) -> None:
        """Take a message from an authenticated member of this cluster, or from one that was a member."""
        match message:
            case m.Append():
                self._on_append(sender, message)
            case m.AppendReply():
                self._on_append_reply(sender, message)
            case m.PreVote():
                self._on_pre_vote(sender, message)
            case m.PreVoteReply():
                self._on_pre_vote_reply(sender, message)
            case m.RequestVote():
                self._on_request_vote(sender, message)
            case m.VoteReply():
                self._on_vote_reply(sender, message)
            case m.SnapshotPiece():
                self._on_snapshot_piece(sender, message)
            case m.SnapshotReply():
                self._on_snapshot_reply(sender, message)
            case m.TimeoutNow():
                self._on_timeout_now(sender, message)
            case m.Propose() | m.ProposeReply() | m.Barrier() | m.BarrierReply() | m.RequestRefused():
                self._on_request(sender, message)
            case _:
                assert_never(message)

    def tick(self) -> None:
        """Do what time asks for, commit and apply. All changes of the log must be on disk (I5)."""
        if self._store.dirty:
            raise FatalError("raft.order", "what is not on disk can't be counted as written")
        led = self.is_leader
        self._onTick()
        if self.is_leader:
            self._barriers.settle(self._is_quorum)
            self._go_on_handing_over()
            self._send_rest()
        else:
            if led:
                self._leader_changed()
            self._forget_silent_leader()
        self.expire()

    def expire(self) -> None:
        """Answer reads that may begin, and whoever has waited too long. Part of `tick`, or in its place."""
        if self._installed is not None:
            self._proposals.skipped(self._installed, self._requests.result)
            self._installed = None
        self._settle_reads()
        now = monotonic()
        if now >= self._expiry_due:
            self._expiry_due = now + _EXPIRY_S
            self._proposals.expire(now)
            self._barriers.expire(now)

    # membership: one change at a time, each a whole configuration in the log (defect 3)

    def change(self, wanted: Configuration, timeout_s: float, done: Callable[[Outcome], None]) -> None:
        """Change the members, on the leader; `done` learns when the change is committed.

        At most one voter may come or go, or change its address; a voter comes from the learners, once it has what is
        committed; who was removed never comes back; this leader can't remove itself: it hands over first.
        """
        refusal = self._change_refusal(wanted)
        if refusal is not None:
            done(refusal)
            return
        index = self._append(command_of(following(self._configurations.newest, wanted)))
        self._proposals.expect(index, self.term, Ticket(b"", monotonic() + timeout_s, done))

    def _change_refusal(self, wanted: Configuration) -> Rejected | None:
        refusal = self._refusal(0) if self.is_leader else NOT_LEADER
        if refusal is not None:
            return replace(refusal, leader=self._leading_member())
        if self.commit < max(self._configurations.index, self.no_op_index or 0):
            return Rejected("raft.change_under_way", "an earlier change is not committed yet")
        newest = self._configurations.newest
        for member in wanted.members:
            if member.id in newest.removed:
                hint = "let it join with an empty data folder, as a new incarnation"
                return Rejected("raft.removed_member", f"{member.id} was removed and can't come back: {hint}")
        before, after = {each.id for each in newest.voters}, {each.id for each in wanted.voters}
        if len(before ^ after) > 1 or not after or after & {each.id for each in wanted.learners}:
            return Rejected("raft.change_refused", "at most one voter may come or go at a time")
        if self.me.id not in after:
            return Rejected("raft.change_refused", "a leader hands over before it is removed")
        for new in after - before:
            if newest.member(new) is None or self.match.get(Peer(new), 0) < self.commit:
                if (progress := self._progress.get(Peer(new))) is not None:
                    progress.urgent = True  # while much is proposed it would never quite be there
                return Rejected("raft.change_refused", f"{new} has not caught up: it has to be a learner that has")
        return None

    def _leading_member(self) -> Member | None:
        return self._configurations.newest.member(self.leader) if self.leader is not None else None

    # handing leadership over

    def hand_over(self, to: MemberId | None) -> Rejected | None:
        """Begin to hand leadership to another voter, the one that is furthest unless one is named.

        Nothing is proposed meanwhile. Within an election timeout another one leads, or this one goes on.
        """
        if not self.is_leader or self._handover is not None:
            return replace(NOT_LEADER, leader=self._leading_member())
        candidates = [peer for peer in self.other_voters if to is None or peer.id == to]
        if not candidates:
            return Rejected("raft.no_such_voter", f"{to or 'another voter'} is not there to hand over to")
        best = max(candidates, key=lambda peer: (self.match[peer], self.heard[peer], peer.id))
        self._handover = (best, monotonic() + self._settings.election_max_s, False)
        return None

    def _go_on_handing_over(self) -> None:
        if self._handover is None:
            return
        peer, deadline, asked = self._handover
        if monotonic() > deadline or peer not in self.other_voters:
            self._handover = None
        elif not asked and self.match[peer] == self._store.last[0]:
            self._handover = (peer, deadline, True)
            self._send(MemberId(peer.id), m.TimeoutNow(self.term))

    # snapshots

    def snapshot_due(self) -> bool:
        """Say whether another snapshot is worth its while: much was applied since the last one, or it is long ago."""
        newest, settings = self._snapshots.newest, self._settings
        fresh = self.applied - (newest.index if newest is not None else 0)
        return fresh >= settings.snapshot_entries or (
            fresh > 0
            and (
                self._applied_bytes >= settings.snapshot_bytes
                or monotonic() - self._captured_at >= settings.snapshot_interval_s
            )
        )

    def capture(self) -> Capture:
        """Return the state as of now, to be written while the replica goes on."""
        term = self._store.term_at(self.applied)
        if term is None:
            raise FatalError("raft.order", f"the log does not have entry {self.applied}, which was applied")
        self._applied_bytes = 0
        self._captured_at = monotonic()
        state = self._machine.snapshot()
        begun = next(state, None)  # what a generator gives is as of when it is first asked
        chunks = chain(self._requests.snapshot(), () if begun is None else (begun,), state)
        return Capture(self.applied, term, self._configurations.at(self.applied), chunks)

    def captured(self, info: SnapshotInfo) -> None:
        """Learn that a snapshot is durable: the log before it, but for a tail, is not needed any more (defect 7)."""
        trailing = self._settings.trailing_entries if self._store.size < 2 * self._settings.snapshot_bytes else 0
        base = max(self._store.base[0], info.index - trailing)
        self._configurations.compacted(info.index)
        self._store.compact(base)

    @property
    def transfers(self) -> bool:
        """Whether there is something for `transfer` to do."""
        return self._piece is not None or bool(self._pieces_due)

    def transfer(self) -> None:
        """Do what snapshots that come and go ask of the disk, in a few MiB, but for one that is whole. Blocks.

        Tells nobody anything: in another thread the callers could not hear it.
        """
        piece, self._piece = self._piece, None
        if piece is not None:
            receiver = self._take_piece(*piece)
            if receiver is not None:
                self._install(piece[0], receiver)
        self._send_pieces()

    def _install(self, sender: MemberId, receiver: SnapshotReceiver) -> None:
        """Put the snapshot that has arrived in the place of the state, whole or not at all.

        Whatever of the log follows the snapshot is kept.
        """
        info = receiver.commit()
        if self._store.term_at(info.index) != info.term:
            self._store.reset(info.index, info.term)  # a crash before this is on disk is made good by `recover`
        restore(self._snapshots.chunks(info), self._machine, self._requests)
        behind = self._store.entries(info.index + 1, 1 << 62) if self._store.last[0] > info.index else ()
        self._configurations = Configurations(info.index, info.configuration, behind)
        self.applied = self.commit = info.index
        self._reconfigured()
        self._installed = info.index
        self._send(sender, m.SnapshotReply(self.term, info.index, info.size, True))

    def step_down(self) -> None:
        """Lead no more, because of a disk that takes nothing: somebody else can."""
        if self.is_leader:
            self._step_down()

    def close(self) -> None:
        """Tell everybody who waits that this member stops."""
        self._barriers.lost()
        self._proposals.close()
        reads, self._reads = self._reads, []
        for _, _, done in reads:
            done(False)
