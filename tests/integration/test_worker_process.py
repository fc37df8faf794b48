"""One worker process alone, spoken to over its socket as a node does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from sys import executable

import msgspec
import pytest

from tests.integration.workers_kit import calling, endless
from tests.waiting import until
from wire.cluster.state import JobId, PipelineKey, TaskKey
from wire.core.permissions import EVERYTHING
from wire.core.records import PartitionId, PartitionKey
from wire.worker.channel import Channel, ClosedError, open_channel
from wire.worker.protocol import FROM_WORKER, Begin, Configure, End, FromWorker, Hello, Pulse, Released, Report, Run

RUN = Run(TaskKey(JobId("j"), 3), 7)


class Worker:
    """A worker process and the node's end of its socket."""

    def __init__(self, process: asyncio.subprocess.Process, end: socket.socket, channel: Channel[FromWorker]) -> None:
        self.process = process
        self.end = end
        self.channel = channel

    def begin(self, spec: dict[str, object]) -> None:
        self.channel.send(Configure(EVERYTHING, 3600, "n1", 2))
        share = (PartitionKey("generate", PartitionId("generate")),)
        key = PipelineKey("default", "p")
        text = msgspec.json.encode(spec)
        self.channel.send(Begin(run=RUN, pipeline=key, generation=0, spec=text, share=share, patient=True))

    async def exit_code(self) -> int:
        async with asyncio.timeout(60):
            return await self.process.wait()


async def drained(channel: Channel[FromWorker]) -> None:
    while True:
        await channel.receive()


@contextlib.asynccontextmanager
async def worker(*cores: int) -> AsyncIterator[Worker]:
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        executable,
        "-m",
        "wire.worker",
        str(theirs.fileno()),
        *map(str, cores),
        pass_fds=[theirs.fileno()],
        stderr=asyncio.subprocess.PIPE,
    )
    theirs.close()
    channel = await open_channel(ours, FROM_WORKER)
    try:
        yield Worker(process, ours, channel)
    finally:
        channel.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_none_of_its_threads_leaves_the_cores_it_is_given() -> None:
    one = min(os.sched_getaffinity(0))
    async with worker(one) as tried, asyncio.timeout(60):
        assert isinstance(await tried.channel.receive(), Hello)
        threads = [int(thread.name) for thread in Path(f"/proc/{tried.process.pid}/task").iterdir()]
        assert [os.sched_getaffinity(thread) for thread in threads] == [{one}] * len(threads)
        assert len(threads) > 1


@pytest.mark.parametrize("function", ["same", "hang"])
async def test_it_ends_when_its_socket_closes_though_its_node_lives(function: str, tmp_path: Path) -> None:
    async with worker() as tried:
        tried.begin(calling("p", function, tmp_path / "marker"))
        await until((tmp_path / "marker").exists, 60)
        tried.channel.close()
        assert await tried.exit_code() in ((70,) if function == "hang" else (0, 70))


async def test_it_says_hello_then_that_it_lives_then_how_its_runs_fare(tmp_path: Path) -> None:
    async with worker() as tried, asyncio.timeout(60):
        assert await tried.channel.receive() == Hello(tried.process.pid)
        pulse = await tried.channel.receive()
        assert isinstance(pulse, Pulse)
        assert pulse.rss_bytes > 10 << 20
        assert pulse.cpu_s > 0
        tried.begin(endless("p"))
        while not isinstance(message := await tried.channel.receive(), Report):
            pass
        assert message.run == RUN
        tried.channel.send(End(RUN, 10))
        last = [await tried.channel.receive()]
        while not isinstance(last[-1], Released):
            last.append(await tried.channel.receive())
        assert last[-1] == Released(RUN)
        reports = [message for message in last if isinstance(message, Report)]
        assert reports[-1].progress.state == "stopped"


async def test_it_ends_by_garbage_and_says_why() -> None:
    async with worker() as tried:
        assert isinstance(await tried.channel.receive(), Hello)
        await asyncio.get_running_loop().sock_sendall(tried.end, b"\0\0\0\4nope")
        assert await tried.exit_code() == 1
        assert tried.process.stderr is not None
        lines = (await tried.process.stderr.read()).splitlines()
        assert json.loads(lines[-1])["code"] == "worker.protocol_fault"
        with pytest.raises(ClosedError):
            await drained(tried.channel)


async def test_its_log_names_node_pipeline_task_and_epoch(tmp_path: Path) -> None:
    spec = endless("p", source={"type": "file", "config": {"path": str(tmp_path / "none")}})
    async with worker() as tried, asyncio.timeout(60):
        assert tried.process.stderr is not None
        tried.begin(spec)
        line = json.loads(await tried.process.stderr.readline())
    assert (line["event"], line["code"]) == ("begin_retry", "source.file.not_found")
    assert (line["node"], line["worker"]) == ("n1", 2)
    assert (line["pipeline"], line["job"], line["slot"], line["epoch"]) == ("default/p", "j", 3, 7)
    assert line["level"] == "warning"
    assert line["timestamp"].endswith("Z")
