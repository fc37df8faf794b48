"""The state as bytes, and back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cluster.model_rows import picture
from tests.unit.cluster.play import Play
from tests.unit.cluster.world_kit import ERROR, P, World, checkpoint, part
from wire.cluster import commands as c
from wire.cluster.encoding import NEWEST
from wire.cluster.snapshot import CHUNK_BYTES, chunks, read
from wire.cluster.state import JobId, NodeName, PipelineKey, State, StoredCheckpoint
from wire.core.errors import FatalError


def small() -> World:
    """Something of everything."""
    world = World()
    world.node("b", labels={"zone": "x"})
    world.apply("1", "j", note="first", node_selector={"zone": "x"})
    world.spread("j", "x")
    world.commit("j", 0, world.run("j", 0, "a"), ("x", checkpoint(1)))
    world.apply("2", "k")
    world.fail("k", -1, world.run("k", -1, "a"))
    world.do(c.CreateToken(at_ms=1, actor="ada", id="t", salt=b"s", digest=b"d", expires_ms=5000))
    return world


def played(seed: int, steps: int = 300) -> State:
    world, player = World(), Play(Random(seed))
    for _ in range(steps):
        command = player.next(world.state)
        if not isinstance(command, c.EnableCommands):
            world.do(command)
    return world.state


def test_nothing_can_be_written_and_read() -> None:
    assert picture(read(chunks(State()))) == picture(State())


@pytest.mark.parametrize("seed", range(5))
def test_what_is_read_is_what_was_written(seed: int) -> None:
    state = played(seed)
    again = read(chunks(state))
    assert picture(again) == picture(state)
    assert [job.id for job in again.jobs.values()] == [job.id for job in state.jobs.values()]
    assert b"".join(chunks(again)) == b"".join(chunks(state))


def test_a_long_spec_is_cut_into_chunks() -> None:
    world = World()
    for n in range(3):
        world.apply(str(n) * (1 << 20), f"j{n}")
    pieces = list(chunks(world.state))
    assert len(pieces) > 10
    assert {len(piece) for piece in pieces[:-1]} == {CHUNK_BYTES}
    assert 0 < len(pieces[-1]) <= CHUNK_BYTES
    assert picture(read(pieces)) == picture(world.state)


def test_it_does_not_matter_where_it_is_cut() -> None:
    state = small().state
    data = b"".join(chunks(state))
    assert picture(read(data[n : n + 1] for n in range(len(data)))) == picture(state)
    assert picture(read([b"", data, b""])) == picture(state)


def test_many_of_a_kind_are_written() -> None:
    world = World()
    for n in range(1000):
        world.node(f"n{n}")
        world.do(c.CreateToken(at_ms=1, id=f"t{n}", salt=b"", digest=b"", expires_ms=1))
    world.apply("1", "j")
    names = [chr(0x4E00 + n) for n in range(1000)]
    world.node("a")
    world.spread("j", *names)
    for n, name in enumerate(names):
        world.commit("j", n, world.run("j", n, "a"), (name, checkpoint(1)))
    assert picture(read(chunks(world.state))) == picture(world.state)


def test_a_snapshot_is_as_of_when_it_was_asked_for_while_the_state_goes_on() -> None:
    world = small()
    epoch = world.task("j", 0).epoch
    taken, as_of = chunks(world.state), picture(world.state)
    begun, go_on = threading.Event(), threading.Event()
    pieces: list[bytes] = []

    def write(source: Iterator[bytes]) -> None:
        begun.set()
        go_on.wait(30)
        pieces.extend(source)

    writing = threading.Thread(target=write, args=(taken,))
    writing.start()
    assert begun.wait(30)
    assert world.commit("j", 0, epoch, ("x", checkpoint(2))) is None
    assert world.commit("j", 0, epoch, ("x", checkpoint(3))) is None
    world.delete()
    world.node("b")
    go_on.set()
    writing.join(30)
    assert picture(read(pieces)) == as_of
    assert picture(world.state) != as_of


def test_two_snapshots_at_once_are_each_as_of_their_own_time() -> None:
    world = small()
    epoch = world.task("j", 0).epoch
    first, as_of_first = chunks(world.state), picture(world.state)
    world.commit("j", 0, epoch, ("x", checkpoint(2)))
    second, as_of_second = chunks(world.state), picture(world.state)
    world.commit("j", 0, epoch, ("x", checkpoint(3)))
    assert picture(read(second)) == as_of_second
    assert picture(read(first)) == as_of_first


def test_checkpoints_that_are_forgotten_while_a_snapshot_is_written_stay_in_it() -> None:
    world = small()
    taken, as_of = chunks(world.state), picture(world.state)
    world.delete()
    world.apply("1", "new")
    world.spread("new", "y")
    world.commit("new", 0, world.run("new", 0, "a"), ("y", checkpoint(1, world.pipeline().generation)))
    assert picture(read(taken)) == as_of


GOLDEN = (
    "010e00000093a8636f756e74657273cd03f5039f00000092a56e6f6465739287a46e616d65a162ab696e6361726e6174696f6ea169a761"
    "646472657373a3623a31a7776f726b65727302a66c6162656c7381a47a6f6e65a178a772656c65617365a3312e30a96a6f696e65645f6d"
    "73cd03e886a46e616d65a161ab696e6361726e6174696f6ea169a761646472657373a3613a31a7776f726b65727302a772656c65617365"
    "a3312e30a96a6f696e65645f6d73cd03ea7100000092a8706970656c696e6589a36b657992a764656661756c74a170a87265766973696f"
    "6e0ba876657273696f6e7390a763757272656e7402a670726f76656ec0a764657369726564a772756e6e696e67a36a6f62a16baa637265"
    "617465645f6d73cd03e9aa757064617465645f6d73cd03f25f00000093a776657273696f6e92a764656661756c74a17086a66e756d6265"
    "7201a473706563c40131aa637265617465645f6d73cd03e9a6617574686f72a3616461a46e6f7465a56669727374ad6e6f64655f73656c"
    "6563746f7281a47a6f6e65a1783e00000093a776657273696f6e92a764656661756c74a17084a66e756d62657202a473706563c40132aa"
    "637265617465645f6d73cd03f2a6617574686f72a36164611701000092a46a6f62739289a26964a16aa8706970656c696e6592a7646566"
    "61756c74a170a776657273696f6e01a57374617465a5656e646564aa737461727465645f6d73cd03e9a8656e6465645f6d73cd03f2ad6e"
    "6f64655f73656c6563746f7281a47a6f6e65a178aa706172746974696f6e739192a6736f75726365a178af7368617265735f7265766973"
    "696f6e0187a26964a16ba8706970656c696e6592a764656661756c74a170a776657273696f6e02a57374617465a66661696c6564aa7374"
    "61727465645f6d73cd03f2a8656e6465645f6d73cd03f5a56572726f7282a4636f6465b073696e6b2e66696c652e657869737473a76d65"
    "7373616765ba746865726520697320612066696c6520696e20746865207761797100000092a57461736b739284a36b657992a16affa56f"
    "776e6572a161a565706f636801a86d6f7665645f6d73cd03eb86a36b657992a16a00a573686172659192a6736f75726365a178a56f776e"
    "6572a161a565706f636802a468656c649192a6736f75726365a178a86d6f7665645f6d73cd03ef5f00000093ab636865636b706f696e74"
    "7392a764656661756c74a170919292a6736f75726365a17882a565706f636802aa636865636b706f696e7484aa67656e65726174696f6e"
    "00a373657101a8706f736974696f6ec40131a6736f75726365c401664900000092a6746f6b656e739186a26964a174a473616c74c40173"
    "a6646967657374c40164aa657870697265735f6d73cd1388a9757365735f6c65667401aa637265617465645f6279a3616461eb00000092"
    "a76368616e6765739386a5696e64657802a561745f6d73cd03e9a56163746f72a3616461a6616374696f6eae6170706c795f706970656c"
    "696e65a77375626a656374a964656661756c742f70a664657461696ca976657273696f6e203186a5696e6465780ba561745f6d73cd03f2"
    "a56163746f72a3616461a6616374696f6eae6170706c795f706970656c696e65a77375626a656374a964656661756c742f70a664657461"
    "696ca976657273696f6e203285a5696e6465780fa561745f6d73cd03f5a56163746f72a3616461a6616374696f6eac6372656174655f74"
    "6f6b656ea77375626a656374a1740600000092a3656e640a"
)  # fmt: skip


def test_what_was_written_by_version_1_is_read_and_written_for_ever() -> None:
    state = small().state
    assert b"".join(chunks(state)).hex() == GOLDEN
    again = read([bytes.fromhex(GOLDEN)])
    assert picture(again) == picture(state)
    assert again.nodes[NodeName("b")].labels == {"zone": "x"}
    assert again.jobs[JobId("k")].error == ERROR
    assert again.checkpoints[P] == {part("x"): StoredCheckpoint(2, checkpoint(1))}


# what is no snapshot


def frame(*items: object) -> bytes:
    body = msgspec.msgpack.encode(items)
    return len(body).to_bytes(4, "little") + body


def test_a_version_to_come_says_which_and_what_to_do() -> None:
    with pytest.raises(FatalError) as caught:
        read([bytes((NEWEST + 1,))])
    assert caught.value.code == "cluster.unknown_snapshot"
    assert f"of version {NEWEST + 1}" in caught.value.message
    assert caught.value.hint is not None
    assert "upgrade" in caught.value.hint


VERSION = {"number": 1, "spec": b"", "created_ms": 1, "author": ""}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x01" + frame("end", 1),
        b"\x01" + frame("end", 0) + b"\x00",
        b"\x01" + frame("end", 0) + frame("end", 0),
        b"\x01" + frame("unknown"),
        b"\x01" + frame("nodes", [], "more"),
        b"\x01" + frame("nodes", [{"name": "a", "more": 1}]),
        b"\x01" + frame("version", PipelineKey("default", "p"), VERSION) + frame("end", 1),
        b"\x01\xff\xff\xff\xff",
    ],
    ids=[
        "nothing", "no end", "too few", "too much", "two ends", "an unknown kind", "an unknown element",
        "an unknown field", "a version of nothing", "a huge frame",
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(FatalError, match=r"cluster\.damaged_snapshot"):
        read([data])


def test_a_snapshot_that_lacks_its_end_is_refused_wherever_that_is() -> None:
    data = b"".join(chunks(small().state))
    for end in range(1, len(data)):
        with pytest.raises(FatalError, match=r"cluster\.damaged_snapshot"):
            read([data[:end]])


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, 10**6), new=st.binary(min_size=1, max_size=3))
def test_a_snapshot_with_flipped_bytes_is_read_or_refused_and_nothing_else(at: int, new: bytes) -> None:
    data = bytearray(bytes.fromhex(GOLDEN))
    at %= len(data)
    data[at : at + len(new)] = new
    with contextlib.suppress(FatalError):
        picture(read([bytes(data)]))
