"""Messages survive the wire, and nothing else is one."""

from __future__ import annotations

import pickle
import typing
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.raft.storage.ports import SnapshotInfo
from wire.raft.transport import messages
from wire.raft.transport.framing import ProtocolError
from wire.raft.transport.messages import (
    Append,
    AppendReply,
    Message,
    Propose,
    SnapshotPiece,
    TimeoutNow,
    VoteReply,
    decode,
    encode,
)
from wire.raft.types import Configuration, Entry, Member, MemberId

KINDS = typing.get_args(Message)

numbers = st.integers(0, (1 << 63) - 1)
members = st.builds(Member, st.text(max_size=20).map(MemberId), st.text(max_size=20))
configurations = st.builds(
    Configuration, st.lists(members, max_size=3).map(tuple), st.lists(members, max_size=3).map(tuple)
)
snapshots = st.builds(SnapshotInfo, numbers, numbers, configurations, numbers, numbers)


@st.composite
def appends(draw: st.DrawFn) -> Append:
    term, previous = draw(numbers), draw(st.integers(0, (1 << 63) - 100))
    commands = draw(st.lists(st.tuples(st.integers(0, term), st.binary(max_size=40)), max_size=5))
    entries = tuple(Entry(previous + n, *rest) for n, rest in enumerate(commands, 1))
    return Append(term, previous, draw(numbers), draw(numbers), draw(numbers), entries)


def of_kind(kind: type[Message]) -> st.SearchStrategy[Message]:
    if kind is Append:
        return appends()
    kinds = {int: numbers, bool: st.booleans(), bytes: st.binary(max_size=100), str: st.text(max_size=100)}
    fields: dict[str, st.SearchStrategy[object]] = {}
    for name, hint in typing.get_type_hints(kind).items():
        fields[name] = snapshots if hint is SnapshotInfo else kinds[hint]
    return st.builds(kind, **fields)


any_message = st.one_of([of_kind(kind) for kind in KINDS])


@given(any_message)
def test_a_message_survives_the_wire(message: Message) -> None:
    received = decode(encode(message))
    assert received == message
    assert type(received) is type(message)


def test_every_kind_has_a_tag_of_its_own_and_a_term() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(KINDS) == len(msgspec.inspect.type_info(Message).types)  # type: ignore[attr-defined]
    assert all(kind.__struct_fields__[0] == "term" for kind in KINDS)


def test_every_kind_that_is_defined_is_one_of_the_messages() -> None:
    defined = {
        each for each in vars(messages).values() if isinstance(each, type) and issubclass(each, messages._Message)
    }
    assert defined - {messages._Message} == set(KINDS)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_fault(payload: bytes) -> None:
    try:
        message = decode(payload)
    except ProtocolError:
        return
    assert isinstance(message, KINDS)


@given(any_message, st.data())
def test_a_damaged_message_is_a_message_or_a_fault(message: Message, data: st.DataObject) -> None:
    payload = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        assert isinstance(decode(bytes(payload)), KINDS)


@given(any_message, st.binary(min_size=1, max_size=3))
def test_what_is_cut_off_or_goes_on_is_no_message(message: Message, more: bytes) -> None:
    payload = encode(message)
    for wrong in (payload[:-1], payload + more):
        with pytest.raises(ProtocolError):
            decode(wrong)


@pytest.mark.parametrize(
    "value",
    [
        ["xx", 1],
        [1, 1],
        ["tn"],
        ["tn", 1, 2],
        ["tn", -1],
        ["tn", 1 << 63],
        ["tn", 1.0],
        ["tn", "1"],
        ["tn", None],
        ["rvr", 1, 1],
        {"type": "tn", "term": 1},
        ["a", 3, 0, 0, 0, 1, None],
        ["a", 3, 0, 0, 0, 1, [[1, 3]]],
        ["a", 3, 0, 0, 0, 1, [[2, 3, b""]]],
        ["a", 3, 0, 0, 0, 1, [[1, 4, b""]]],
        ["a", 3, 0, 0, 0, 1, [[1, -1, b""]]],
        ["p", 1, 1, bytes(129), b""],
        ["p", 1, 1, b"", "text"],
        ["no", 1, 1, "c" * 129, ""],
        ["s", 1, None, 0, b""],
        [],
        None,
        "tn",
        b"tn",
    ],
)
def test_what_only_resembles_a_message_is_a_fault(value: object) -> None:
    with pytest.raises(ProtocolError, match="no message"):
        decode(msgspec.msgpack.encode(value))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_no_message(protocol: int) -> None:
    for value in ({"type": "append_entries"}, TimeoutNow, [1, 2]):
        with pytest.raises(ProtocolError):
            decode(pickle.dumps(value, protocol))


def test_an_append_without_gaps_can_be_made_and_no_other() -> None:
    Append(5, 7, 4, 6, 1, (Entry(8, 4, b"a"), Entry(9, 5, b"b")))
    with pytest.raises(ValueError, match="entry 9 stands where 8 belongs"):
        Append(5, 7, 4, 6, 1, (Entry(9, 4, b"a"),))
    with pytest.raises(ValueError, match="entry 8 is of term 6, its leader of 5"):
        Append(5, 7, 4, 6, 1, (Entry(8, 6, b"a"),))


def test_a_hot_message_is_small_on_the_wire() -> None:
    assert len(encode(Append(3, 1000, 3, 1000, 17))) <= 16
    assert len(encode(AppendReply(3, 17, 1000, True))) <= 12
    assert len(encode(VoteReply(3, True))) <= 8
    assert len(encode(Propose(3, 1, b"r" * 16, b"c" * 100))) <= 130
    info = SnapshotInfo(1, 1, Configuration(), 1, 1)
    assert len(encode(SnapshotPiece(3, info, 0, bytes(1000)))) <= 1100
