"""When a snapshot is worth its while."""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import Bench, snapshot_of
from wire.raft.replica.settings import RaftSettings


def test_snapshots_are_taken_for_what_was_applied_not_for_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RaftSettings(snapshot_bytes=1000, snapshot_entries=1_000_000, trailing_entries=1_000_000)
    bench = Bench(monkeypatch, "a", settings)
    bench.wait(5)
    bench.turn()
    taken = 0
    for n in range(100):
        bench.propose(b"%d" % n + b"x" * 100)
        bench.turn()
        if bench.replica.snapshot_due():
            snapshot_of(bench)
            taken += 1
    assert 5 <= taken <= 11


def test_when_the_last_snapshot_is_long_ago_one_is_taken_of_what_little_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "a", RaftSettings(snapshot_interval_s=60))
    bench.wait(5)
    bench.turn()
    bench.propose(b"v")
    bench.turn()
    assert not bench.replica.snapshot_due()
    bench.wait(60)
    assert bench.replica.snapshot_due()
    snapshot_of(bench)
    bench.wait(600)
    assert not bench.replica.snapshot_due(), "nothing is new"
    bench.propose(b"w")
    bench.turn()
    assert bench.replica.snapshot_due()
