"""How much is applied at once: what takes longer leaves the rest for the next turn."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.raft.replica.kit import SETTINGS, B, Bench, entries
from wire.raft.transport.messages import Append, AppendReply


def test_a_backlog_is_applied_bit_by_bit_each_as_long_as_the_budget_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, settings=replace(SETTINGS, apply_budget_s=0.010))
    apply = bench.machine.apply

    def slow(index: int, command: bytes) -> bytes:
        bench.wait(0.003)
        return apply(index, command)

    monkeypatch.setattr(bench.machine, "apply", slow)
    bench.put(B, Append(1, 0, 0, 10, 0, entries(1, 1, 10)))
    bench.turn()
    assert (bench.replica.applied, bench.replica.unapplied) == (4, True)
    assert bench.machine.values == [b"v1", b"v2", b"v3", b"v4"]
    bench.put(B, Append(1, 10, 1, 10, 0, ()))
    assert [reply.index for reply in bench.said(AppendReply)] == [10], "it answers in between"
    assert (bench.replica.applied, bench.replica.unapplied) == (8, True)
    bench.turn()
    assert (bench.replica.applied, bench.replica.unapplied) == (10, False)
    assert len(bench.machine.values) == 10


def test_who_waits_for_a_command_or_a_read_in_a_backlog_hears_when_its_turn_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, settings=replace(SETTINGS, apply_budget_s=-1.0))  # one entry in each turn
    term = bench.lead(B)
    bench.turn()
    early, late = bench.propose(b"early"), bench.propose(b"late")
    bench.turn()
    bench.put(B, AppendReply(term, 0, 3, True))
    heard = []
    for _ in range(3):
        bench.turn()
        heard.append((len(early), len(late)))
    assert heard == [(0, 0), (1, 0), (1, 1)]
