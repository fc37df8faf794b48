from __future__ import annotations

import gc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.records import Batch, Checkpoint, Fingerprint, PartitionId, Position, Record

P = PartitionId("flights/0")


def record(offset: int, value: bytes | None = b"v") -> Record:
    return Record(value, b"k", 1_357_034_400_000, (("source", b"nyc"),), offset)


def batch(count: int, columns: dict[str, list[object]] | None = None) -> Batch:
    return Batch(P, Position(b"end"), [record(i) for i in range(count)], watermark_ms=7, columns=columns)


@given(count=st.integers(0, 20), data=st.data())
def test_take_gives_the_chosen_records_with_their_columns_in_the_order_asked_for(
    count: int, data: st.DataObject
) -> None:
    whole = batch(count, {"topic": [f"t{i}" for i in range(count)], "key": [i * i for i in range(count)]})
    indices = data.draw(st.lists(st.integers(0, count - 1), max_size=30) if count else st.just([]))
    taken = whole.take(indices)
    assert [r.offset for r in taken.records] == indices
    assert taken.columns == {"topic": [f"t{i}" for i in indices], "key": [i * i for i in indices]}
    assert (taken.partition, taken.position, taken.watermark_ms) == (P, Position(b"end"), 7)
    assert len(whole.records) == count


def test_take_of_a_batch_without_columns_has_none() -> None:
    assert batch(3).take([2]) == Batch(P, Position(b"end"), [record(2)], watermark_ms=7)
    assert batch(3, {}).take([0, 1]).columns == {}


def test_take_shares_the_records_and_copies_no_bytes() -> None:
    whole = batch(2)
    assert whole.take([1]).records[0] is whole.records[1]


def test_a_tombstone_is_told_from_an_empty_value() -> None:
    assert record(0, None) != record(0, b"")


def test_records_cost_the_garbage_collector_nothing() -> None:
    assert not gc.is_tracked(record(0))


@given(
    generation=st.integers(0, 2**40),
    seq=st.integers(0, 2**40),
    position=st.binary(max_size=50),
    sink=st.none() | st.binary(max_size=50),
    state=st.none() | st.text(max_size=20),
)
def test_a_checkpoint_survives_being_stored(
    generation: int, seq: int, position: bytes, sink: bytes | None, state: str | None
) -> None:
    checkpoint = Checkpoint(
        generation=generation,
        seq=seq,
        position=Position(position),
        source=Fingerprint(b"\x00\xff"),
        sink=sink,
        state=state,
    )
    for encode, decode in (
        (msgspec.msgpack.encode, msgspec.msgpack.decode),
        (msgspec.json.encode, msgspec.json.decode),
    ):
        assert decode(encode(checkpoint), type=Checkpoint) == checkpoint


def test_a_checkpoint_cannot_be_changed() -> None:
    checkpoint = Checkpoint(generation=0, seq=0, position=Position(b""), source=Fingerprint(b""))
    with pytest.raises(AttributeError):
        checkpoint.seq = 1  # type: ignore[misc]


def test_a_checkpoint_with_fields_of_a_later_version_can_be_read() -> None:
    stored = msgspec.msgpack.encode(
        {"generation": 1, "seq": 2, "position": b"p", "source": b"s", "sink": None, "state": None, "later": [1]}
    )
    assert msgspec.msgpack.decode(stored, type=Checkpoint).seq == 2
