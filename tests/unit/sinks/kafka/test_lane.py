"""A lane: what is sent next, and what the verdicts do to it."""

from __future__ import annotations

from aiokafka.record.memory_records import MemoryRecords

from wire.core.errors import RecordError
from wire.core.records import Record
from wire.sinks.kafka.lane import Encoding, Lane, Sent, Stamp


def stamp(sequence: int) -> Stamp:
    return Stamp(42, 3, sequence, transactional=False)


PLAIN = Encoding(0, None)


def lane(count: int, size: int = 10) -> Lane:
    made = Lane(("t", 0))
    made.records = [Record(b"%03d" % n + b"x" * size, None, 1000 + n, (), n) for n in range(count)]
    made.places = [100 + n for n in range(count)]
    return made


def sent_values(sent: Sent) -> list[bytes]:
    return [record.value[:3] for record in MemoryRecords(sent.raw).next_batch()]


def test_a_batch_takes_what_fits_and_carries_the_producers_state() -> None:
    held = lane(10, 100)
    sent = held.encode(stamp(7), PLAIN, 500)
    assert 1 < sent.count < 10
    assert sent.size <= 500
    batch = MemoryRecords(sent.raw).next_batch()
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (42, 3, 7)
    assert sent_values(sent) == [b"%03d" % n for n in range(sent.count)]


def test_the_same_bytes_are_sent_until_there_is_a_verdict() -> None:
    held = lane(3)
    first = held.encode(stamp(0), PLAIN, 1000)
    assert held.encode(stamp(99), PLAIN, 10) is first
    assert held.acknowledge() == 3
    assert held.done


def test_a_record_larger_than_the_limit_is_a_batch_of_its_own() -> None:
    held = lane(3, 1000)
    assert held.encode(stamp(0), PLAIN, 100).count == 1


def test_halving_finds_the_bad_record_and_only_it() -> None:
    held, bad = lane(50), 33
    written: list[bytes] = []
    while not held.done:
        sent = held.encode(stamp(len(written)), PLAIN, 1 << 20)
        refused = b"%03d" % bad in sent_values(sent)
        if not refused:
            written += sent_values(sent)
            held.acknowledge()
        elif sent.count > 1:
            held.halve()
        else:
            held.reject(RecordError("sink.kafka.record_refused"))
    assert written == [b"%03d" % n for n in range(50) if n != bad]
    assert [place for place, _ in held.failures] == [100 + bad]


def test_the_time_of_writing_replaces_the_records_own() -> None:
    sent = lane(2).encode(stamp(0), Encoding(0, 5000), 1000)
    assert [record.timestamp for record in MemoryRecords(sent.raw).next_batch()] == [5000, 5000]


def test_what_is_left_over_is_the_batch_in_front_with_its_bytes() -> None:
    held = lane(10, 100)
    held.encode(stamp(0), PLAIN, 350)
    held.acknowledge()
    front = held.encode(stamp(2), PLAIN, 350)
    left = held.leftover()
    assert left.encode(stamp(99), PLAIN, 1 << 20) is front
    assert len(left.records) == front.count
    left.acknowledge()
    assert left.done
