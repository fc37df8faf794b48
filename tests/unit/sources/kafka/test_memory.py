"""What a partition keeps while it is read."""

import struct

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from wire.core.errors import FatalError
from wire.core.ports import ReadLimit
from wire.sources.kafka.partition import Partition

RECORDS = 100
VALUE = b"x" * 50


def record_batch(base: int, count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for number in range(count):
        builder.append(number, 1, None, VALUE, [])
    raw = bytes(builder.build())
    return struct.pack(">q", base) + raw[8:]


def test_records_that_were_read_are_let_go_of_even_when_reads_never_end_where_batches_do() -> None:
    partition = Partition("t", 0, 0, None, None)
    limit = ReadLimit(max_records=30, max_bytes=1 << 20)
    offset = 0
    for base in range(0, 50 * RECORDS, RECORDS):
        partition.add(record_batch(base, RECORDS), base, None, base + RECORDS)
        while base + RECORDS - offset > limit.max_records and (batch := partition.take(limit)):
            assert [record.offset for record in batch.records] == list(range(offset, offset + len(batch.records)))
            offset += len(batch.records)
        assert len(partition._decoded) <= RECORDS + limit.max_records


def test_a_read_is_bounded_by_bytes_across_record_batches() -> None:
    partition = Partition("t", 0, 0, None, None)
    for base in (0, RECORDS):
        partition.add(record_batch(base, RECORDS), base, None, base + RECORDS)
    sizes = []
    while batch := partition.take(ReadLimit(max_records=1000, max_bytes=70 * len(VALUE))):
        sizes.append(len(batch.records))
    assert sum(sizes) == 2 * RECORDS
    assert max(sizes) <= 70


def test_a_header_whose_name_is_no_text_is_an_error_that_says_where() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1, None, VALUE, [("trace", b"1")])
    raw = bytearray(bytes(builder.build()).replace(b"trace", b"\xffrace"))
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    partition = Partition("t", 0, 0, None, None)
    partition.add(bytes(raw), 0, None, 1)
    with pytest.raises(FatalError) as caught:
        partition.take(ReadLimit(10, 1 << 20))
    assert caught.value.code == "source.kafka.corrupt"
    assert "t/0 at 0" in caught.value.message
