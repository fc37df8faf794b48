"""Decoding: the bytes of a fetch response to records."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from wire.clients.kafka_records import Chunk, end_of
from wire.core.records import Record

TRANSACTIONAL = 1
CONTROL_BIT = 0x20
ABORT, COMMIT = 0, 1

optional_bytes = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=2).map(tuple)
bodies = st.lists(st.tuples(optional_bytes, optional_bytes, st.integers(0, 2**41), headers), min_size=1, max_size=6)


def encode(
    base: int, records: list[Record], *, producer: int = -1, codec: int = 0, transactional: bool = False
) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, int(transactional), producer, 0, 0, 1 << 20)
    for record in records:
        builder.append(record.offset - base, record.ts_ms, record.key, record.value, list(record.headers))
    return struct.pack(">q", base) + bytes(builder.build())[8:]


def plain(base: int, count: int, **options: int | bool) -> bytes:
    records = [Record(b"%d" % n, None, 1, (), n) for n in range(base, base + count)]
    return encode(base, records, **options)  # type: ignore[arg-type]


def marker(base: int, producer: int, kind: int) -> bytes:
    """A control batch that ends a transaction. The library can't write one: the bit and the checksum are set here."""
    from aiokafka.record.util import calc_crc32c

    builder = DefaultRecordBatchBuilder(2, 0, 1, producer, 0, -1, 1 << 20)
    builder.append(0, 1, struct.pack(">hh", 0, kind), b"", [])
    raw = bytearray(struct.pack(">q", base) + bytes(builder.build())[8:])
    raw[22] |= CONTROL_BIT
    raw[17:21] = struct.pack(">I", calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def emptied(raw: bytes) -> bytes:
    """What compaction leaves of a batch that is the last of its producer: the header, and no record."""
    from aiokafka.record.util import calc_crc32c

    head = bytearray(raw[:61])
    head[8:12] = struct.pack(">i", 61 - 12)
    head[57:61] = struct.pack(">i", 0)
    head[17:21] = struct.pack(">I", calc_crc32c(bytes(head[21:])))
    return bytes(head)


def offsets(chunk: Chunk) -> list[int]:
    found = []
    while chunk.more():
        found += [record.offset for record in chunk.decode()]
    return found


@given(st.lists(bodies, min_size=1, max_size=4), st.sampled_from([0, 1, 2, 3, 4]), st.integers(0, 2**40), st.data())
def test_what_was_encoded_is_decoded_from_any_offset_on(
    batches: list[list[tuple[bytes | None, bytes | None, int, tuple[tuple[str, bytes], ...]]]],
    codec: int,
    base: int,
    data: st.DataObject,
) -> None:
    raw, expected, offset = b"", [], base
    for bodies_ in batches:
        records = [Record(value, key, ts, head, offset + n) for n, (value, key, ts, head) in enumerate(bodies_)]
        raw += encode(offset, records, codec=codec)
        expected += records
        offset += len(records)
    start = data.draw(st.integers(base, offset))
    chunk = Chunk(raw, start, [])
    found: list[Record] = []
    while chunk.more():
        before = chunk.position
        found += chunk.decode()
        assert chunk.position >= before
    assert found == [record for record in expected if record.offset >= start]
    assert chunk.position == end_of(raw) == offset


@given(st.integers(0, 400))
def test_a_batch_that_was_cut_off_is_left_for_the_next_fetch(cut: int) -> None:
    whole = [plain(0, 3), plain(3, 4), plain(7, 5)]
    raw = b"".join(whole)
    raw = raw[: max(0, len(raw) - cut)]
    ends = {sum(map(len, whole[:n])): (0, 3, 7, 12)[n] for n in range(4)}
    expected = max(end for size, end in ends.items() if size <= len(raw))
    assert (end_of(raw) or 0) == expected
    assert offsets(Chunk(raw, 0, None)) == list(range(expected))


def test_aborted_transactions_are_left_out_and_interleaved_ones_kept() -> None:
    raw = b"".join(
        [
            plain(0, 2, producer=7, transactional=True),  # aborted
            plain(2, 2, producer=8, transactional=True),
            plain(4, 2),
            plain(6, 2, producer=7, transactional=True),  # aborted
            marker(8, 7, ABORT),
            plain(9, 2, producer=7, transactional=True),  # the next transaction of the same producer
            marker(11, 8, COMMIT),
            marker(12, 7, COMMIT),
        ]
    )
    committed = Chunk(raw, 0, [(7, 0)])
    assert offsets(committed) == [2, 3, 4, 5, 9, 10]
    assert committed.position == 13
    assert offsets(Chunk(raw, 0, None)) == [0, 1, 2, 3, 4, 5, 6, 7, 9, 10]


def test_an_abort_that_began_in_an_earlier_fetch_still_counts() -> None:
    raw = plain(50, 2, producer=7, transactional=True) + marker(52, 7, ABORT) + plain(53, 1)
    assert offsets(Chunk(raw, 50, [(7, 10)])) == [53]


def test_the_end_of_a_batch_counts_even_when_compaction_took_its_last_records() -> None:
    raw = bytearray(plain(0, 3))
    struct.pack_into(">i", raw, 23, 9)  # the last offset delta stays when the records go
    from aiokafka.record.util import calc_crc32c

    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    chunk = Chunk(bytes(raw), 0, None)
    assert offsets(chunk) == [0, 1, 2]
    assert chunk.position == end_of(bytes(raw)) == 10


@given(st.integers(21, 200), st.integers(1, 255))
def test_a_flipped_byte_is_noticed(at: int, flip: int) -> None:
    raw = bytearray(plain(0, 20))
    raw[at] ^= flip
    with pytest.raises(CorruptRecordException):
        Chunk(bytes(raw), 0, None).decode()


def test_offsets_rise_across_batches() -> None:
    found = offsets(Chunk(plain(5, 3) + plain(20, 2), 0, None))
    assert all(a < b for a, b in pairwise(found))


@pytest.mark.parametrize("kind", [ABORT, COMMIT])
def test_a_marker_that_compaction_has_emptied_is_passed(kind: int) -> None:
    raw = plain(0, 2) + emptied(marker(2, 7, kind)) + plain(3, 2)
    chunk = Chunk(raw, 0, [])
    assert offsets(chunk) == [0, 1, 3, 4]
    assert chunk.position == 5
