"""Commands and answers as bytes."""

from __future__ import annotations

import contextlib
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.cluster.play import Play
from tests.unit.cluster.world_kit import P, World, checkpoint, part
from wire.cluster import commands as c
from wire.cluster import encoding
from wire.cluster.commands import Answer, AnyCommand, Applied, Committed, Done, Refused, Started, TaskCheckpoints
from wire.cluster.encoding import NEWEST, VERSIONS, decode, decode_answer, encode, encode_answer, not_enabled
from wire.cluster.state import JobId, State, TaskKey
from wire.core.errors import FatalError

PAUSE = c.SetDesired(at_ms=7, actor="ada", key=P, desired="paused", job=JobId("j"))
COMMIT = c.CommitCheckpoints(
    at_ms=7, tasks=(TaskCheckpoints(TaskKey(JobId("j"), 0), 3, ((part("x"), checkpoint(5)),)),)
)


def test_every_command_can_be_read_back() -> None:
    world, player = World(), Play(Random(1))
    seen = set()
    for _ in range(3000):
        command = player.next(world.state)
        world.do(command)
        seen.add(type(command))
        data = encode(command)
        assert data[0] == VERSIONS[type(command)]
        assert decode(data) == command
    assert seen == set(get_args(AnyCommand)) == set(VERSIONS)


@pytest.mark.parametrize(
    "answer",
    [
        Done(),
        Applied(revision=1, version=2, desired="paused", job=None, created=True),
        Started((1, None, 2)),
        Committed(("fenced", "moved_back", None)),
        Refused(code="cluster.unknown_node", message="m", hint="h"),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_every_answer_can_be_read_back(answer: Answer) -> None:
    assert decode_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (
            "0186a2646fab7365745f64657369726564a561745f6d7307a56163746f72a3616461a36b657992a764656661756c74a170a7646573"
            "69726564a6706175736564a36a6f62a16a",
            PAUSE,
        ),
        (
            "0183a2646fb2636f6d6d69745f636865636b706f696e7473a561745f6d7307a57461736b73919392a16a0003919292a6736f757263"
            "65a17884aa67656e65726174696f6e00a373657105a8706f736974696f6ec40135a6736f75726365c40166",
            COMMIT,
        ),
    ],
    ids=["a pause", "checkpoints"],
)
def test_what_was_written_by_version_1_is_read_and_written_for_ever(data: str, command: AnyCommand) -> None:
    assert decode(bytes.fromhex(data)) == command
    assert encode(command).hex() == data


def test_a_command_of_a_version_to_come_says_which_and_what_to_do() -> None:
    with pytest.raises(FatalError) as caught:
        decode(bytes((NEWEST + 1,)) + encode(PAUSE)[1:])
    assert caught.value.code == "cluster.unknown_command"
    assert f"of version {NEWEST + 1}" in caught.value.message
    assert f"up to {NEWEST}" in caught.value.message
    assert caught.value.hint is not None
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01", encode(PAUSE)[:-1], encode(PAUSE) + b"\x00", b"\x01\x80"])
def test_what_is_no_command_is_not_applied(data: bytes) -> None:
    with pytest.raises(FatalError, match=r"cluster\.unknown_command"):
        decode(data)


def test_a_field_that_is_not_known_is_not_passed_over() -> None:
    data = encode(PAUSE)
    assert data[1] == 0x86, "a map of six"
    with pytest.raises(FatalError, match=r"cluster\.unknown_command"):
        decode(data[:1] + b"\x87" + data[2:] + b"\xa3new\x01")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x01", encode(PAUSE)[:30], encode(COMMIT)[:40]]))
def test_garbage_is_read_or_refused_and_nothing_else(data: bytes, before: bytes) -> None:
    for read in (decode, decode_answer):
        with contextlib.suppress(FatalError):
            read(before + data)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(1, 10**6), value=st.integers(0, 255))
def test_a_flipped_byte_is_read_or_refused_and_nothing_else(at: int, value: int) -> None:
    for command in (PAUSE, COMMIT):
        data = bytearray(encode(command))
        data[at % len(data)] = value
        with contextlib.suppress(FatalError):
            World().do(decode(bytes(data)))


@pytest.mark.parametrize(
    "command",
    [
        replace(PAUSE, at_ms=1.5),
        replace(PAUSE, actor="\ud800"),
        replace(PAUSE, at_ms=1 << 64),
        replace(PAUSE, job=object()),
        c.EnableCommands(at_ms=1, version=256),
    ],
    ids=["a float", "half a character", "a number too large", "an object", "out of bounds"],
)
def test_what_no_node_could_read_is_never_proposed(command: AnyCommand) -> None:
    with pytest.raises(FatalError, match=r"cluster\.bad_command"):
        encode(command)


def test_what_is_not_enabled_is_not_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State()
    assert not_enabled(state, PAUSE) is None
    monkeypatch.setattr(encoding, "VERSIONS", dict(VERSIONS) | {c.SetDesired: 2})
    refused = not_enabled(state, PAUSE)
    assert refused is not None
    assert refused.code == "cluster.version_not_enabled"
    assert "version 2" in refused.message
    state.command_version = 2
    assert not_enabled(state, PAUSE) is None
