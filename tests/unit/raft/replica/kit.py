"""One replica on its own, to which any message can be put, and what it says and keeps."""

from __future__ import annotations

import random
from typing import TypeVar

import pysyncobj.syncobj
import pytest

from tests.sim.disk import SimulatedFiles
from tests.sim.raft.clock import VirtualTime
from tests.sim.raft.machine import Ledger
from wire.raft.replica.proposals import Outcome
from wire.raft.replica.recovery import found
from wire.raft.replica.replica import Replica
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshots import FileSnapshots
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.transport.messages import AppendReply, Message, RequestVote, VoteReply
from wire.raft.types import Configuration, Entry, Member, MemberId, Rejected, Unknown

M = TypeVar("M")
SETTINGS = RaftSettings(snapshot_entries=1000, trailing_entries=0)


def member(name: str) -> Member:
    return Member(MemberId(f"{name}/a"), f"{name}:1")


A, B, C, D, E = (member(name).id for name in "abcde")


class Bench:
    """Member `a` of a cluster of these voters, in a time that only `wait` moves."""

    def __init__(self, patch: pytest.MonkeyPatch, voters: str = "abc", settings: RaftSettings = SETTINGS) -> None:
        self.time = VirtualTime()
        patch.setattr(pysyncobj.syncobj, "monotonicTime", self.time.monotonic)
        self.files = SimulatedFiles(random.Random(1)), SimulatedFiles(random.Random(2))
        self.settings = settings
        founders = Configuration(voters=tuple(member(name) for name in voters))
        found(FileSnapshots(self.files[1], b"c"), founders, Ledger(), Requests(10, 1000))
        self.open()

    def open(self) -> None:
        self.machine = Ledger()
        self.log = WriteAheadLog(self.files[0], b"c/a")
        self.snapshots = FileSnapshots(self.files[1], b"c")
        self.replica = Replica(member("a"), self.log, self.snapshots, self.machine, self.settings, random.Random(3))

    def cut_power(self) -> None:
        for files in self.files:
            files.cut_power()
        self.open()

    def wait(self, seconds: float) -> None:
        self.time.move_to(self.time.now + seconds)

    def put(self, sender: MemberId, message: Message) -> None:
        self.replica.receive(sender, message)

    def turn(self) -> list[tuple[MemberId, Message]]:
        """Transfer, send entries, sync, tick and sync, as the driver does; return all that may be sent."""
        if self.replica.transfers:
            self.replica.transfer()
        ahead = self.replica.ahead_of_sync()
        self.log.sync()
        self.replica.tick()
        self.log.sync()
        said, self.replica.outbox = self.replica.outbox, []
        return ahead + said

    def said(self, kind: type[M]) -> list[M]:
        return [message for _, message in self.turn() if isinstance(message, kind)]

    def lead(self, *voters: MemberId) -> int:
        """Have it win an election, with the votes of these; return the term."""
        self.replica._pre_vote_won = True
        self.turn()
        term = self.replica.term
        for voter in voters:
            self.put(voter, VoteReply(term, True))
        return term

    def propose(self, value: bytes, request_id: bytes = b"") -> list[Outcome]:
        outcomes: list[Outcome] = []
        self.replica.propose(value, request_id, 5.0, outcomes.append)
        return outcomes

    def change(self, wanted: Configuration) -> list[Outcome]:
        outcomes: list[Outcome] = []
        self.replica.change(wanted, 5.0, outcomes.append)
        return outcomes


def leading(bench: Bench) -> int:
    """Have it lead, with `b` at its side, its first entry committed; return the term."""
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    return term


def entries(term: int, first: int, last: int) -> tuple[Entry, ...]:
    return tuple(Entry(n, term, b"\x00\x00v%d" % n) for n in range(first, last + 1))


def vote(term: int) -> RequestVote:
    return RequestVote(term, 1_000, term)


def snapshot_of(bench: Bench) -> SnapshotInfo:
    """Have it take a snapshot, and forget the log that it covers."""
    capture = bench.replica.capture()
    writer = bench.snapshots.begin(capture.index, capture.term, capture.configuration)
    for chunk in capture.chunks:
        writer.write(chunk)
    info = writer.commit()
    bench.replica.captured(info)
    return info


def code_of(outcomes: list[bytes | Rejected | Unknown]) -> str:
    (outcome,) = outcomes
    assert isinstance(outcome, Rejected), outcome
    return outcome.code
