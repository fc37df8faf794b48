from __future__ import annotations

import pytest

from wire.core.errors import FatalError
from wire.core.ports import ReadLimit
from wire.core.records import Position, Record
from wire.sources.mongodb.buffer import Buffer
from wire.sources.mongodb.position import ChunkState, MongoPosition, SnapshotState, pack_token, time_of, unpack_token


def test_a_position_is_read_back_as_it_was() -> None:
    chunks = [ChunkState("shop.orders", None, b"42", b"17"), ChunkState("shop.orders", b"42", None)]
    position = MongoPosition(
        pack_token({"_data": "82"}), 7, 1, SnapshotState("shop.users", b"9", divided=False, chunks=chunks)
    )
    read = MongoPosition.decode(position.encode())
    assert read == position
    assert unpack_token(read.token) == {"_data": "82"}


def test_a_position_of_another_source_is_refused_with_what_to_do() -> None:
    with pytest.raises(FatalError) as caught:
        MongoPosition.decode(Position(b"\x00" * 12))
    assert caught.value.code == "source.mongodb.position_invalid"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("token", "time"),
    [
        ({"_data": "826B01BFC7000000052B0229296E04"}, (0x6B01BFC7 << 32) | 5),
        ({"_data": "81"}, None),
        ({"_data": b"binary"}, None),
        ({"other": 1}, None),
        (None, None),
    ],
)
def test_the_time_of_a_token_is_told_where_it_can_be(token: object, time: int | None) -> None:
    assert time_of(token) == time


@pytest.mark.parametrize(
    ("most", "size", "expected"), [(10, 1000, [5]), (2, 1000, [2, 2, 1]), (10, 25, [2, 2, 1]), (10, 1, [1] * 5)]
)
def test_a_buffer_is_handed_out_in_pieces_that_fit(most: int, size: int, expected: list[int]) -> None:
    buffer = Buffer([Record(b"x" * 9, b"%d" % n, 0, (), n) for n in range(5)])
    pieces = []
    while buffer:
        pieces.append(buffer.take(ReadLimit(most, size)))
    assert [len(piece) for piece in pieces] == expected
    assert [record.offset for piece in pieces for record in piece] == list(range(5))
