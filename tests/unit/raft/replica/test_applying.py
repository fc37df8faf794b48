"""How long it takes to apply what is committed."""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import B, Bench, leading
from wire.raft.transport.messages import AppendReply


def test_each_entry_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    apply = bench.machine.apply

    def slowly(index: int, command: bytes) -> bytes:
        bench.wait(0.2)
        return apply(index, command)

    monkeypatch.setattr(bench.machine, "apply", slowly)
    term = leading(bench)
    outcomes = [bench.propose(*each) for each in ((b"once", b"id"), (b"twice", b""), (b"again", b"id"))]
    bench.turn()
    last = bench.log.last[0]
    bench.put(B, AppendReply(term, 0, last, True))
    for _ in range(3):  # each applies for a few milliseconds, which one command uses up
        bench.turn()
    assert all(outcomes)
    assert (bench.replica.applied, last) == (last, 4)
    assert bench.replica.applies.count == last
    assert bench.replica.applies.sum_s == pytest.approx(0.4, abs=0.02)  # a look at the time takes some, too
