"""Messages survive the way, and what is no message never gets through."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.waiting import until
from wire.cluster.state import Error, JobId, PipelineKey, TaskKey
from wire.core.permissions import Permissions
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position
from wire.core.timings import Timings
from wire.pipelines.engine.progress import Progress, Reason, SinkProgress, SourceProgress
from wire.worker.channel import Channel, ClosedError, ProtocolError, open_channel
from wire.worker.masking import Shown
from wire.worker.protocol import (
    FROM_NODE,
    FROM_WORKER,
    MAX_MESSAGE_BYTES,
    Begin,
    Commit,
    CommitAnswer,
    Configure,
    End,
    Ended,
    Failed,
    FromNode,
    FromWorker,
    Hello,
    Partitions,
    Ping,
    Pulse,
    Released,
    Report,
    Run,
    Sample,
    Tap,
    Tapped,
    Untap,
)

numbers = st.integers(0, 2**60)
texts = st.text(max_size=20)
floats = st.floats(0, 1e9)
blobs = st.binary(max_size=20)
runs = st.builds(Run, st.builds(TaskKey, texts.map(JobId), st.integers(-1, 2**30)), numbers)
keys = st.builds(PartitionKey, texts, texts.map(PartitionId))
checkpoints = st.builds(
    Checkpoint,
    generation=numbers,
    seq=numbers,
    position=blobs.map(Position),
    source=blobs.map(Fingerprint),
    sink=st.none() | blobs,
    state=st.none() | texts,
)
committed = st.lists(st.tuples(keys, checkpoints), max_size=3).map(tuple)
shares = st.lists(keys, max_size=3).map(tuple)
allowed = st.none() | st.lists(texts, max_size=2).map(tuple)
timings = st.builds(Timings, st.lists(numbers, min_size=17, max_size=17), floats)
progresses = st.builds(
    Progress,
    state=st.sampled_from(["starting", "running", "retrying", "done"]),
    elapsed_s=floats,
    checkpoint_age_s=st.none() | floats,
    last_error=st.none() | texts,
    sources=st.lists(st.builds(SourceProgress, texts, texts, numbers, lag_records=st.none() | numbers), max_size=2),
    sinks=st.lists(
        st.builds(SinkProgress, texts, texts, counts=st.dictionaries(texts, numbers), writes=timings), max_size=2
    ),
    reasons=st.dictionaries(texts, st.builds(Reason, numbers, texts), max_size=2),
)
from_node = st.one_of(
    st.builds(Configure, st.builds(Permissions, python=allowed, paths=allowed, env=allowed), floats, texts, numbers),
    st.builds(Ping),
    st.builds(
        Begin,
        run=runs,
        pipeline=st.builds(PipelineKey, texts, texts),
        generation=numbers,
        spec=blobs,
        share=shares,
        checkpoints=committed,
        patient=st.booleans(),
    ),
    st.builds(End, runs, floats),
    st.builds(CommitAnswer, numbers, st.sampled_from([None, "fenced", "moved_back"])),
    st.builds(Tap, numbers, runs, numbers),
    st.builds(Untap, numbers, runs),
)
shown = st.none() | st.builds(Shown, st.sampled_from(["json", "cut", "bytes", "hidden"]), blobs, st.booleans())
samples = st.builds(Sample, texts, texts, texts, numbers, numbers, shown, shown)
from_worker = st.one_of(
    st.builds(Hello, numbers),
    st.builds(Pulse, floats, numbers, floats),
    st.builds(Commit, numbers, runs, committed),
    st.builds(Report, runs, progresses),
    st.builds(Partitions, runs, shares),
    st.builds(Ended, runs),
    st.builds(Released, runs),
    st.builds(Failed, runs, st.builds(Error, texts, texts, st.none() | texts, st.none() | texts)),
    st.builds(Tapped, numbers, runs, st.lists(samples, max_size=2).map(tuple)),
)


@asynccontextmanager
async def ends() -> AsyncIterator[tuple[Channel[FromWorker], Channel[FromNode]]]:
    """The node's and the worker's end of one channel."""
    node, worker = socket.socketpair()
    pair = await open_channel(node, FROM_WORKER), await open_channel(worker, FROM_NODE)
    try:
        yield pair
    finally:
        for end in pair:
            end.close()
        await asyncio.sleep(0)


async def drained(channel: Channel[FromNode]) -> None:
    while True:
        await channel.receive()


@given(from_node)
def test_what_a_node_says_arrives_as_it_was_said(message: FromNode) -> None:
    assert FROM_NODE.decode(msgspec.msgpack.encode(message)) == message


@given(from_worker)
def test_what_a_worker_says_arrives_as_it_was_said(message: FromWorker) -> None:
    assert FROM_WORKER.decode(msgspec.msgpack.encode(message)) == message


async def test_messages_arrive_in_order_both_ways() -> None:
    run = Run(TaskKey(JobId("j"), 0), 1)
    async with ends() as (node, worker):
        for number in range(100):
            worker.send(Hello(number))
            node.send(Tap(number, run, 1))
        assert [await node.receive() for _ in range(100)] == [Hello(number) for number in range(100)]
        assert [await worker.receive() for _ in range(100)] == [Tap(number, run, 1) for number in range(100)]


@given(st.binary(max_size=200))
@example((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"))
@example(b"\0\0\0\1\x80")
@example(b"\0\0\0\0")
@example(b"\0\0\4\0" + b"\x91" * 1024)
def test_garbage_is_an_error_of_the_protocol_or_the_end(garbage: bytes) -> None:
    async def read() -> None:
        raw, end = socket.socketpair()
        channel = await open_channel(end, FROM_NODE)
        raw.sendall(garbage)
        raw.close()
        try:
            with pytest.raises((ProtocolError, ClosedError)):
                await drained(channel)
        finally:
            channel.close()
            await asyncio.sleep(0)

    asyncio.run(read())


async def test_a_side_that_reads_nothing_is_cut_off_before_much_is_held_for_it() -> None:
    run = Run(TaskKey(JobId("j"), 0), 1)
    large = Begin(run=run, pipeline=PipelineKey("n", "p"), generation=0, spec=os.urandom(1 << 23))
    async with ends() as (node, _):
        most = 0
        for _ in range(64):
            node.send(large)
            most = max(most, node.unread_bytes)
        assert most < 3 * MAX_MESSAGE_BYTES
        with pytest.raises(ClosedError):
            await node.receive()


async def test_what_is_sent_to_nobody_is_no_error() -> None:
    async with ends() as (node, worker):
        worker.close()
        with pytest.raises(ClosedError):
            await node.receive()
        node.send(Tap(1, Run(TaskKey(JobId("j"), 0), 1), 1))
        node.close()
        await until(lambda: node.unread_bytes == 0)
