"""Entries and snapshots from the leader to the others: the library's, with what is wrong in them put right.

Each override names the defect that it repairs by its number in docs/consensus.md, or what else it is for.
"""

from __future__ import annotations

import random
from typing import Final

from wire.core.errors import FatalError
from wire.raft.replica.barriers import Barriers
from wire.raft.replica.consensus import Consensus
from wire.raft.replica.library import FOLLOWER, Peer, monotonic
from wire.raft.replica.progress import Progress
from wire.raft.replica.recovery import Recovered
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.ports import LogStore, SnapshotInfo, SnapshotReceiver, SnapshotStore
from wire.raft.transport.messages import Append, AppendReply, Message, SnapshotPiece, SnapshotReply
from wire.raft.types import Entry, Member, MemberId

_LOST_AFTER_HEARTBEATS: Final = 4
_BYTES_PER_TURN: Final = 4 << 20


class Replication(Consensus):
    """A member that sends and takes entries."""

    def __init__(
        self,
        me: Member,
        store: LogStore,
        snapshots: SnapshotStore,
        recovered: Recovered,
        settings: RaftSettings,
        rng: random.Random,
    ) -> None:
        """Begin with what was recovered."""
        self._snapshots = snapshots
        self._barriers = Barriers()
        self._progress: dict[Peer, Progress] = {}
        self._receiving: tuple[SnapshotInfo, SnapshotReceiver] | None = None
        self._piece: tuple[MemberId, SnapshotPiece] | None = None
        self._pieces_due: dict[Peer, None] = {}
        self._unsent = False
        self._learners_due = 0.0
        self._appended = Append(0, 0, 0, 0, 0)
        super().__init__(me, store, recovered, settings, rng)

    # the leader's side

    def _lead(self) -> None:
        now, (last, _) = monotonic(), self._store.last
        self._barriers.lost()
        self._progress = {
            peer: Progress(last + 1, now, now, peer in self.other_voters) for peer in self._peers.values()
        }
        self._learners_due = now
        super()._lead()

    def _reconfigured(self) -> None:
        super()._reconfigured()
        now, (last, _) = monotonic(), self._store.last
        for peer in self._peers.values():
            self._progress.setdefault(peer, Progress(last + 1, now, now))
            self.match.setdefault(peer, 0)
            self.heard.setdefault(peer, now)
            self._progress[peer].urgent = peer in self.other_voters
        for peer in [peer for peer in self._progress if peer.id not in self._peers]:
            del self._progress[peer]
            self.match.pop(peer, None)
            self.heard.pop(peer, None)

    def _SyncObj__sendAppendEntries(self) -> None:  # noqa: N802 (the library's name)
        """Send a heartbeat to everybody, with entries where there are some and room for them.

        The library's sends pieces of snapshots as heartbeats, to be committed without a comparison (defect 1), cuts
        large commands into pieces that may not fit together (defect 15), and sends however much has no answer (I8).
        """
        now = monotonic()
        self.append_due = now + self._settings.heartbeat_s
        self._unsent = False
        patience_s = _LOST_AFTER_HEARTBEATS * self._settings.heartbeat_s
        for peer, progress in self._progress.items():
            if now - max(progress.heard_at, progress.sent_at) > patience_s:
                progress.lost(self.match[peer])
            elif progress.snapshot is not None and now - progress.sent_at > patience_s:
                self._pieces_due[peer] = None  # the piece or its reply was lost; replies to heartbeats come
            if not self._send_what_is_missing(peer, progress, now):
                self._send_append(peer, progress.next_index - 1 if progress.snapshot is None else 0, ())

    def ahead_of_sync(self) -> list[tuple[MemberId, Message]]:
        """Return what may be sent before the log is on disk here: entries, and nothing that promises anything.

        A leader counts itself only in `tick`, when they are (Raft thesis §10.2.1); in `outbox` stays what waits (I5).
        """
        if not self.is_leader or not self.other_voters:  # one alone may not even have its vote on disk
            return []
        held, self.outbox = self.outbox, []
        self._send_rest()
        ahead, self.outbox = self.outbox, held
        return ahead

    def _send_rest(self) -> None:
        """Send what was appended since; to learners now and then, for there may be a hundred."""
        now = monotonic()
        to_learners = now >= self._learners_due
        if to_learners:
            self._learners_due = now + len(self.other_learners) / self._settings.learner_messages_per_s
        elif not self._unsent:
            return
        self._unsent = False
        for peer, progress in self._progress.items():
            if progress.urgent or to_learners:
                self._send_what_is_missing(peer, progress, now)

    def _send_what_is_missing(self, peer: Peer, progress: Progress, now: float) -> bool:
        """Send entries as far as the window allows (I8), or begin with the snapshot; return whether any were sent."""
        if progress.snapshot is not None:
            return False  # one piece at a time: the reply asks for the next
        if progress.next_index <= self._store.base[0]:
            progress.snapshot, progress.offset = self._snapshots.newest, 0
            self._pieces_due[peer] = None
            return False
        sent = False
        while progress.open and progress.next_index <= self._store.last[0]:
            entries = tuple(self._store.entries(progress.next_index, self._settings.max_append_bytes))
            self._send_append(peer, progress.next_index - 1, entries)
            progress.sent(entries[-1].index, now)
            sent = True
        return sent

    def _send_append(self, peer: Peer, previous: int, entries: tuple[Entry, ...]) -> None:
        term = self._store.term_at(previous)
        if term is None:  # before the base: any follower agrees with the beginning of all logs
            previous = term = 0
        message = Append(self.term, previous, term, self.commit, self._barriers.round, entries)
        if message == self._appended:
            message = self._appended  # one object for all: it is encoded once
        self._appended = message
        self._send(MemberId(peer.id), message)

    def _on_append_reply(self, sender: MemberId, message: AppendReply) -> None:
        """Believe only replies of this leadership, from who is a member now (defect 2); never go back (defect 5)."""
        self._newer(message.term)
        peer = self._peers.get(sender)
        if not self.is_leader or message.term != self.term or peer is None:
            return
        progress = self._progress[peer]
        self.heard[peer] = progress.heard_at = monotonic()
        self._barriers.answered(sender, message.round)
        if message.success:
            if message.index > self.match[peer]:  # it never goes back, and a reply that comes twice is no news
                self.match[peer] = message.index
                progress.taken(message.index)
            if progress.snapshot is not None and self.match[peer] >= progress.snapshot.index:
                progress.snapshot = None
        elif progress.snapshot is None and message.round >= progress.since:
            progress.refused(self.match[peer], message.index)
            progress.since = self._barriers.next_round()
        if progress.urgent or not message.success:
            self._send_what_is_missing(peer, progress, progress.heard_at)

    # snapshots to those who are too late for entries

    def _send_pieces(self) -> None:
        """Send the pieces that are due, or check some more of what is to be sent. Blocks."""
        size = 0
        while self._pieces_due and size < _BYTES_PER_TURN:
            peer = next(iter(self._pieces_due))
            progress = self._progress.get(peer)
            if self.is_leader and progress is not None and progress.snapshot is not None:
                try:
                    if not self._snapshots.check(progress.snapshot):
                        return
                    size += self._send_piece(peer, progress, progress.snapshot)
                except FatalError as error:
                    if error.code != "raft.snapshot.gone":
                        raise
                    progress.lost(self.match[peer])  # there are newer ones by now: begin with one of them
            del self._pieces_due[peer]

    def _send_piece(self, peer: Peer, progress: Progress, info: SnapshotInfo) -> int:
        data = self._snapshots.read(info, progress.offset, self._settings.snapshot_piece_bytes)
        self._send(MemberId(peer.id), SnapshotPiece(self.term, info, progress.offset, data))
        progress.sent_at = monotonic()
        return len(data)

    def _on_snapshot_reply(self, sender: MemberId, message: SnapshotReply) -> None:
        self._newer(message.term)
        peer = self._peers.get(sender)
        if not self.is_leader or message.term != self.term or peer is None:
            return
        progress = self._progress[peer]
        self.heard[peer] = progress.heard_at = monotonic()
        if message.done:
            self.match[peer] = max(self.match[peer], message.index)
            progress.snapshot = None
            progress.refused(self.match[peer], self.match[peer] + 1)
            self._send_what_is_missing(peer, progress, progress.heard_at)
        elif (
            progress.snapshot is not None
            and progress.snapshot.index == message.index
            and progress.offset != message.offset  # a reply that comes twice must not ask for two pieces
        ):
            progress.offset = message.offset
            self._pieces_due[peer] = None

    # the follower's side

    def _follow(self, sender: MemberId, term: int) -> bool:
        """Take the sender for the leader of the term; return False if it is of the past."""
        self._newer(term)
        if term < self.term:
            return False
        if self.is_leader:
            raise FatalError("raft.two_leaders", f"{sender} and {self.me.id} both lead in term {term}")
        if self.leader != sender:
            self._leader_changed()
            self.leader_node = Peer(sender)
        self._SyncObj__setState(FOLLOWER)
        self._leader_heard_at = monotonic()
        self._pre_vote_won, self._pre_votes = False, set()  # there is no need of an election
        self._pre_vote_round += 1
        self.election_deadline = self._leader_heard_at + self._SyncObj__generateRaftTimeout()
        return True

    def _on_append(self, sender: MemberId, message: Append) -> None:
        if not self._follow(sender, message.term):
            self._send(sender, AppendReply(self.term, message.round, 0, False))
            return
        hint = self._misfit(message)
        if hint is not None:
            self._send(sender, AppendReply(self.term, message.round, hint, False))
            return
        if self._take(message):
            self._reconfigured()
        matched = max(message.previous_index + len(message.entries), self.commit)
        # only what this message has shown to be the leader's may count as committed (defect 1)
        self.commit = max(self.commit, min(message.commit, matched))
        self._send(sender, AppendReply(self.term, message.round, matched, True))

    def _misfit(self, message: Append) -> int | None:
        """Return where the leader should try next, None if the message follows what is in the log."""
        previous, (last, _) = message.previous_index, self._store.last
        if previous > last:
            return last + 1
        term = self._store.term_at(previous)
        if previous <= self.commit or term == message.previous_term:
            return None
        while previous > self.commit + 1 and self._store.term_at(previous - 1) == term:
            previous -= 1  # the whole term conflicts: one round for it, not one for each entry
        return previous

    def _take(self, message: Append) -> bool:
        """Add what is missing; drop only what conflicts, from the first entry that does (defect 5).

        Returns whether the newest configuration may be another one now.
        """
        changed = False
        for entry in message.entries:
            if entry.index <= self.commit:
                continue
            term = self._store.term_at(entry.index)
            if term is not None and term != entry.term:
                self._store.truncate(entry.index)
                changed = self._configurations.truncated(entry.index) or changed
                term = None
            if term is None:
                self._store.append(entry)
                changed = self._configurations.appended(entry) or changed
        return changed

    def _on_snapshot_piece(self, sender: MemberId, message: SnapshotPiece) -> None:
        if self._follow(sender, message.term):
            self._piece = (sender, message)  # an earlier one that waits is sent again

    def _take_piece(self, sender: MemberId, message: SnapshotPiece) -> SnapshotReceiver | None:
        """Write a piece, and return the receiver once all of the snapshot is there. Blocks."""
        info = message.info
        if info.index <= self.commit:
            self._send(sender, SnapshotReply(self.term, info.index, info.size, True))
            return None
        if self._receiving is None or self._receiving[0] != info:
            self._receiving = (info, self._snapshots.receive(info))
        receiver = self._receiving[1]
        try:
            receiver.accept(message.offset, message.data)
        except FatalError:
            self._receiving = None  # the receiver is of no use any more; the leader sends again
            raise
        if receiver.offset < info.size:
            self._send(sender, SnapshotReply(self.term, info.index, receiver.offset, False))
            return None
        self._receiving = None
        return receiver
