"""Samples: as many as are wanted, so many a second, for all who tap."""

from __future__ import annotations

from wire.cluster.state import JobId, TaskKey
from wire.core.clock import SystemClock
from wire.core.records import Batch, PartitionId, Position, Record
from wire.worker.protocol import Run, Tap, Tapped
from wire.worker.sampling import MOST_PER_SECOND, SampleTaker, Takers

RUN = Run(TaskKey(JobId("j"), 0), 1)


class Still(SystemClock):
    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


def batch(count: int) -> Batch:
    records = [Record(b'{"n":%d,"pwd":1}' % n, None, 7, (), n) for n in range(count)]
    return Batch(PartitionId("p"), Position(b""), records)


class Tapping:
    def __init__(self, count: int) -> None:
        self.sent: list[Tapped] = []
        self.clock = Still()
        self.taker = SampleTaker(Tap(3, RUN, count), self.sent.append, self.clock)

    def pass_by(self, *counts: int) -> bool:
        return self.taker([f"out{i}" for i, _ in enumerate(counts)], "in", [batch(count) for count in counts])

    @property
    def offsets(self) -> list[tuple[str, int]]:
        return [(each.sink, each.offset) for tapped in self.sent for each in tapped.samples]


def test_so_many_are_taken_of_all_sinks_and_no_more() -> None:
    tapping = Tapping(4)
    assert tapping.pass_by(1, 2)
    assert not tapping.pass_by(5, 5)
    assert tapping.offsets == [("out0", 0), ("out1", 0), ("out1", 1), ("out0", 0)]
    assert {(each.id, each.run) for each in tapping.sent} == {(3, RUN)}


def test_secrets_are_masked_before_they_are_sent() -> None:
    tapping = Tapping(1)
    tapping.pass_by(1)
    (sample,) = tapping.sent[0].samples
    assert sample.value is not None
    assert sample.value.data == b'{"n":0,"pwd":"***"}'
    assert sample.ts_ms == 7


def test_only_so_many_are_taken_in_a_second() -> None:
    tapping = Tapping(10 * MOST_PER_SECOND)
    for _ in range(3):
        assert tapping.pass_by(MOST_PER_SECOND - 10)
    assert len(tapping.offsets) == MOST_PER_SECOND
    tapping.clock.now_s += 1
    assert tapping.pass_by(MOST_PER_SECOND * 2)
    assert len(tapping.offsets) == 2 * MOST_PER_SECOND


def test_each_who_taps_gets_what_it_wants_and_the_last_one_ends_it() -> None:
    takers, first, second = Takers(), Tapping(1), Tapping(3)
    takers.add(1, first.taker)
    takers.add(2, second.taker)
    assert takers(["out0"], "in", [batch(2)])
    assert (len(first.offsets), len(second.offsets)) == (1, 2)
    takers.remove(2)
    assert not takers(["out0"], "in", [batch(2)])
    assert (len(first.offsets), len(second.offsets)) == (1, 2)
