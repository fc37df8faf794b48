"""What callers ask of a member: commands to be carried out once, and reads that see all that was confirmed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, assert_never

from wire.core.errors import FatalError
from wire.core.timings import Timings
from wire.raft.replica.backlog import Backlog
from wire.raft.replica.library import Peer, monotonic
from wire.raft.replica.proposals import Outcome, Proposals, Ticket
from wire.raft.replica.recovery import Recovered
from wire.raft.replica.replication import Replication
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.ports import LogStore, SnapshotStore
from wire.raft.transport import messages as m
from wire.raft.types import Entry, Member, MemberId, Rejected, StateMachine, Unknown

COMMAND: Final = b"\x00"
NOT_LEADER: Final = Rejected("raft.not_leader", "this member does not lead")
MAX_REQUEST_ID_BYTES: Final = 128
_ENOUGH: Final = 1 << 20


class Proposing(Replication):
    """A member that takes commands and applies them."""

    def __init__(
        self,
        me: Member,
        store: LogStore,
        snapshots: SnapshotStore,
        machine: StateMachine,
        requests: Requests,
        recovered: Recovered,
        settings: RaftSettings,
        rng: random.Random,
    ) -> None:
        """Begin with what was recovered; the state machine and `requests` are as of then."""
        self.unapplied = False
        self.applies = Timings()
        self._machine = machine
        self._requests = requests
        self._proposals = Proposals(rng.getrandbits(60))  # a late reply to an earlier life matches nothing
        self._reads: list[tuple[int, float, Callable[[bool], None]]] = []
        self._handover: tuple[Peer, float, bool] | None = None
        self._backlog = Backlog()
        self._applied_bytes = 0
        self._captured_at = monotonic()
        super().__init__(me, store, snapshots, recovered, settings, rng)

    # applying

    def _SyncObj__applyLogEntries(self) -> bool:  # noqa: N802 (the library's name)
        """Apply what is committed, for a bounded time; `unapplied` says whether something is left (defect 6)."""
        began = monotonic()
        stop_at = began + self._settings.apply_budget_s
        self.unapplied = False
        while self.applied < self.commit:
            entries = self._store.entries(self.applied + 1, _ENOUGH)
            if not entries:
                raise FatalError("raft.order", f"the log lacks entry {self.applied + 1}, which is committed")
            for entry in entries:
                if entry.index > self.commit:
                    return False
                result = self._apply(entry)
                self.applied = entry.index
                self._proposals.applied(entry.index, entry.term, result)
                now = monotonic()
                self.applies.observe(now - began)
                began = now
                if now > stop_at:
                    self.unapplied = self.applied < self.commit
                    return False
        return False

    def _apply(self, entry: Entry) -> bytes:
        command = entry.command
        if command[:1] != COMMAND:
            return b""
        self._applied_bytes += len(command)
        length = command[1]
        request_id, body = command[2 : 2 + length], command[2 + length :]
        if request_id and (known := self._requests.result(request_id)) is not None:
            return known
        result = self._machine.apply(entry.index, body)
        if request_id:
            self._requests.add(request_id, result)
        return result

    # proposals

    def propose(self, command: bytes, request_id: bytes, timeout_s: float, done: Callable[[Outcome], None]) -> None:
        """Call `done` once: with the result when the command was applied here, or with what is known else.

        With a `request_id` (at most 128 bytes) the command is carried out once however often it is proposed.
        """
        ticket = Ticket(request_id, monotonic() + timeout_s, done)
        known = self._requests.result(request_id) if request_id else None
        if known is not None:
            done(known)
        elif (refusal := self._refusal(len(command), request_id)) is not None:
            done(refusal)
        elif self.is_leader:
            index = self._append(COMMAND + bytes((len(request_id),)) + request_id + command)
            self._proposals.expect(index, self.term, ticket)
        elif self.leader is not None:  # pragma: no branch (or it would have been refused)
            self._send(self.leader, m.Propose(self.term, self._proposals.ask(ticket), request_id, command))

    def _refusal(self, size: int, request_id: bytes = b"") -> Rejected | None:
        if self.removed:
            return Rejected("raft.stopped", "this member was removed from the cluster")  # others may carry it out
        if len(request_id) > MAX_REQUEST_ID_BYTES:
            limit = MAX_REQUEST_ID_BYTES
            return Rejected("raft.too_large", f"the request id has {len(request_id)} bytes, and {limit} are allowed")
        if size > self._settings.max_command_bytes:
            limit = self._settings.max_command_bytes
            return Rejected("raft.too_large", f"the command has {size} bytes, and {limit} are allowed")
        if self.leader is None:
            return Rejected("raft.no_leader", "there is no leader at the moment")
        if not self.is_leader:
            return None
        if self._handover is not None:
            return Rejected("raft.no_leader", "leadership is being handed over")
        if self._backlog.bytes_behind(self.commit) + size > self._settings.max_uncommitted_bytes:
            return Rejected("raft.busy", "more is waiting to be committed than is allowed")
        return None

    def _append(self, command: bytes) -> int:
        entry = Entry(self._store.last[0] + 1, self.term, command)
        self._store.append(entry)
        self._backlog.add(entry.index, len(command))
        if self._configurations.appended(entry):
            self._reconfigured()
        self._unsent = True
        return entry.index

    def _on_request(self, sender: MemberId, message: m.Request) -> None:
        match message:
            case m.Propose():
                refusal = self._refusal(len(message.command)) if self.is_leader else NOT_LEADER
                if refusal is not None:
                    self._send(sender, m.RequestRefused(self.term, message.number, refusal.code, refusal.message))
                    return
                request_id = message.request_id
                index = self._append(COMMAND + bytes((len(request_id),)) + request_id + message.command)
                self._send(sender, m.ProposeReply(self.term, message.number, index, self.term))
            case m.ProposeReply():
                ticket = self._proposals.answered(message.number)
                if ticket is not None and message.index <= self.applied:
                    result = self._requests.result(ticket.request_id)
                    ticket.done(Unknown("it was applied or not before the answer came") if result is None else result)
                elif ticket is not None:
                    self._proposals.expect(message.index, message.index_term, ticket)
            case m.RequestRefused():
                ticket = self._proposals.answered(message.number)
                if ticket is not None:
                    ticket.done(Rejected(message.code, message.message))
            case m.Barrier():
                self._confirm(sender, message)
            case m.BarrierReply():
                ticket = self._proposals.answered(message.number)
                if ticket is not None:
                    ticket.done(message.index.to_bytes(8, "big"))
            case _:
                assert_never(message)

    def _leader_changed(self) -> None:
        self._handover = None
        self._barriers.lost()
        self._proposals.leader_changed()

    def _lead(self) -> None:
        self._backlog = Backlog()
        self._leader_changed()  # who was asked before does not answer any more
        super()._lead()

    # linearizable reads

    def barrier(self, timeout_s: float, done: Callable[[bool], None]) -> None:
        """Call `done(True)` once the state machine has all that was confirmed before now (I7), or `done(False)`."""
        deadline = monotonic() + timeout_s

        def confirmed(index: int | None) -> None:
            if index is None:
                done(False)
            else:
                self._reads.append((index, deadline, done))

        def answered(outcome: Outcome) -> None:
            confirmed(int.from_bytes(outcome, "big") if isinstance(outcome, bytes) else None)

        if self.is_leader:
            self._ask_quorum(deadline, confirmed)
        elif self.leader is not None and not self.removed:
            number = self._proposals.ask(Ticket(b"", deadline, answered))
            self._send(self.leader, m.Barrier(self.term, number))
        else:
            done(False)

    def _confirm(self, sender: MemberId, message: m.Barrier) -> None:
        def confirmed(index: int | None) -> None:
            if index is None:
                refusal = NOT_LEADER
                self._send(sender, m.RequestRefused(self.term, message.number, refusal.code, refusal.message))
            else:
                self._send(sender, m.BarrierReply(self.term, message.number, index))

        if self.is_leader:
            self._ask_quorum(monotonic() + self._settings.election_max_s, confirmed)
        else:
            confirmed(None)

    def _ask_quorum(self, deadline: float, confirmed: Callable[[int | None], None]) -> None:
        """A new leader knows what was confirmed before it once its own first entry is committed."""
        self._barriers.ask(max(self.commit, self.no_op_index or 0), deadline, confirmed)
        self.append_due = 0.0  # the round travels with the next heartbeat: now

    def _settle_reads(self) -> None:
        if not self._reads:
            return
        now, waiting = monotonic(), self._reads
        self._reads = []
        for index, deadline, done in waiting:
            if self.applied >= index:
                done(True)
            elif now > deadline:
                done(False)
            else:
                self._reads.append((index, deadline, done))
