"""A snapshot on its way to a member that is too late for entries: piece by piece, each until it is taken."""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import B, Bench, C, snapshot_of
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage import snapshot_files
from wire.raft.transport.messages import AppendReply, SnapshotPiece, SnapshotReply


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_piece_of_a_snapshot_that_was_lost_is_sent_again(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.propose(b"v")
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    snapshot_of(bench)
    bench.put(C, AppendReply(term, 0, 1, False))
    (piece,) = bench.said(SnapshotPiece)
    again: list[SnapshotPiece] = []
    for _ in range(10):  # it answers to heartbeats all the while
        bench.wait(bench.settings.heartbeat_s)
        again += bench.said(SnapshotPiece)
        bench.put(B, AppendReply(term, 0, 2, True))
        bench.put(C, AppendReply(term, 0, 0, True))
    assert piece in again


def test_a_reply_that_comes_twice_asks_for_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, settings=RaftSettings(trailing_entries=0, snapshot_piece_bytes=50))
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    info = snapshot_of(bench)
    bench.put(C, AppendReply(term, 0, 1, False))
    assert [piece.offset for piece in bench.said(SnapshotPiece)] == [0]
    bench.put(C, SnapshotReply(term, info.index, 50, False))
    assert [piece.offset for piece in bench.said(SnapshotPiece)] == [50]
    bench.put(C, SnapshotReply(term, info.index, 50, False))
    assert not bench.said(SnapshotPiece)


def test_a_piece_of_a_large_snapshot_is_sent_once_all_of_it_was_checked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_files, "_VERIFY_BYTES", 1)
    term = bench.lead(B)
    bench.turn()
    bench.propose(b"v")
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    info = snapshot_of(bench)
    bench.put(C, AppendReply(term, 0, 1, False))
    steps = [bench.said(SnapshotPiece) for _ in range(4)]
    assert steps[:2] == [[], []]
    assert [piece.info for step in steps for piece in step] == [info]
