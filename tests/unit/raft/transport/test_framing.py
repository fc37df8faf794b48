"""Frames come out as they went in, however the stream is cut; what announces too much is refused at once."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.raft.transport.framing import SIGN_OF_LIFE, Deframer, ProtocolError, announced, decoded, framed

LIMIT = 1000


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.binary(max_size=LIMIT), max_size=8), st.lists(st.integers(min_value=0), max_size=12))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(payloads: list[bytes], places: list[int]) -> None:
    frames = Deframer(LIMIT)
    stream = b"".join(map(framed, payloads))
    assert [payload for chunk in cut(stream, places) for payload in frames.feed(chunk)] == payloads


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_any_bytes_give_payloads_within_the_limit_or_a_fault(chunks: list[bytes]) -> None:
    frames = Deframer(LIMIT)
    fed = given_back = 0
    for chunk in chunks:
        fed += len(chunk)
        try:
            payloads = frames.feed(chunk)
        except ProtocolError:
            return
        assert all(len(payload) <= LIMIT for payload in payloads)
        given_back += sum(4 + len(payload) for payload in payloads)
        assert given_back <= fed < given_back + 4 + LIMIT + len(chunk)


def test_a_payload_of_just_the_limit_is_taken() -> None:
    assert Deframer(LIMIT).feed(framed(bytes(LIMIT))) == [bytes(LIMIT)]


def test_a_longer_frame_is_refused_before_anything_of_it_has_come() -> None:
    with pytest.raises(ProtocolError, match="a frame of 1001 bytes was announced, 1000 are allowed"):
        Deframer(LIMIT).feed((LIMIT + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        announced(b"\xff\xff\xff\xff", LIMIT)


def test_a_sign_of_life_is_a_frame_of_nothing() -> None:
    assert framed(b"") == SIGN_OF_LIFE
    assert Deframer(0).feed(SIGN_OF_LIFE * 2) == [b"", b""]


def test_where_only_signs_of_life_are_due_anything_else_is_a_fault() -> None:
    with pytest.raises(ProtocolError):
        Deframer(0).feed(b"\0\0\0\1")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xdb\0\0\0\2\xff\xff", b"\x92" * 100_000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xa1x\xa1x"],
    ids=["nothing", "no text", "deep", "announces items", "announces bytes", "two values"],
)
def test_whatever_is_wrong_with_msgpack_is_one_kind_of_fault(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as failure:
        decoded(msgspec.msgpack.Decoder().decode, payload)
    assert failure.value.code == "raft.protocol_fault"
    assert str(len(payload)) in failure.value.message
