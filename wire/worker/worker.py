"""All runs of one worker process, and its conversation with the node."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import math
import os
import random
import resource
import sys
import time
from typing import Final, assert_never

import structlog

from wire.core.clock import SystemClock
from wire.core.permissions import Permissions
from wire.core.records import Checkpoint, PartitionKey
from wire.worker.channel import Channel, ClosedError
from wire.worker.discretion import Discretion
from wire.worker.hosting import Hosted, Outcome
from wire.worker.lifeline import EXIT_ORPHANED
from wire.worker.protocol import (
    Begin,
    Commit,
    CommitAnswer,
    Configure,
    End,
    FromNode,
    Hello,
    Partitions,
    Ping,
    Pulse,
    Refusal,
    Released,
    Report,
    Run,
    Tap,
    Untap,
)
from wire.worker.sampling import SampleTaker

log = structlog.get_logger()

PULSE_S: Final = 0.5
_REPORT_S: Final = 0.5
_MAX_UNREAD_REPORTS: Final = 1 << 20


class Worker:
    """Runs what the node asks for, until the node closes the channel."""

    def __init__(self, channel: Channel[FromNode], discretion: Discretion) -> None:
        """Prepare; nothing is said before `serve`, and `discretion` has a part in all that is."""
        self._discretion = discretion
        self._channel = channel
        self._clock = SystemClock()
        self._permissions = Permissions()
        self._runs: dict[Run, tuple[Hosted, asyncio.Task[None]]] = {}
        self._commits: dict[int, asyncio.Future[Refusal | None]] = {}
        self._ids = itertools.count(1)
        self._orphaned_after_s = math.inf
        self._silent_s = 0.0

    async def serve(self) -> None:
        """Run tasks until the channel closes. Raises ProtocolError for what is no message."""
        self._channel.send(Hello(os.getpid()))
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(self._pulse()), tasks.create_task(self._report())]
            with contextlib.suppress(ClosedError):
                while True:
                    message = await self._channel.receive()
                    self._silent_s = 0.0
                    self._take(message, tasks)
            for task in (*loops, *(task for _, task in self._runs.values())):
                task.cancel()

    def _take(self, message: FromNode, tasks: asyncio.TaskGroup) -> None:
        match message:
            case Configure():
                self._permissions = message.permissions
                self._orphaned_after_s = message.orphaned_after_s
                structlog.contextvars.bind_contextvars(node=message.node, worker=message.worker)
            case Ping():
                pass  # that there was a message is all it says
            case Begin():
                rng = random.Random()  # noqa: S311 (jitter)
                hosted = Hosted(message, self._permissions, self._clock, rng, self._discretion)
                self._runs[message.run] = hosted, tasks.create_task(self._host(hosted))
            case End():
                self._end(message)
            case CommitAnswer():
                answer = self._commits.pop(message.id, None)
                if answer and not answer.done():
                    answer.set_result(message.refusal)
            case Tap():
                if found := self._runs.get(message.run):
                    found[0].tap(message.id, SampleTaker(message, self._channel.send, self._clock))
            case Untap():
                if found := self._runs.get(message.run):
                    found[0].untap(message.id)
            case _:
                assert_never(message)

    async def _host(self, hosted: Hosted) -> None:
        run = hosted.begun.run
        outcome: Outcome = Released(run)  # where it is cancelled
        try:
            outcome = await hosted.run(functools.partial(self._commit, run), functools.partial(self._found, run))
        finally:
            del self._runs[run]
            self._channel.send(Report(run, hosted.progress()))
            self._channel.send(outcome)
            hosted.close()

    def _end(self, message: End) -> None:
        if found := self._runs.get(message.run):
            hosted, task = found
            hosted.stop.set()
            asyncio.get_running_loop().call_later(message.deadline_s, task.cancel)

    def _commit(
        self, run: Run, checkpoints: tuple[tuple[PartitionKey, Checkpoint], ...]
    ) -> asyncio.Future[Refusal | None]:
        number = next(self._ids)
        answer: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._commits[number] = answer
        answer.add_done_callback(lambda _: self._commits.pop(number, None))
        if found := self._runs.get(run):  # what is committed is not read again: it must have been counted before
            self._channel.send(Report(run, found[0].progress()))
        self._channel.send(Commit(number, run, checkpoints))
        return answer

    def _found(self, run: Run, partitions: tuple[PartitionKey, ...]) -> None:
        self._channel.send(Partitions(run, partitions))

    async def _pulse(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PULSE_S
            await asyncio.sleep(PULSE_S)
            self._channel.send(Pulse(max(0.0, loop.time() - due), rss_bytes(), time.process_time()))
            self._silent_s += PULSE_S  # not by the clock: while this process was stopped it could not hear
            if self._silent_s >= self._orphaned_after_s:
                log.error("node_silent", for_s=self._silent_s)
                os._exit(EXIT_ORPHANED)  # I4: others may have its tasks by now; nothing that cleans up may wait

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_S)
            for run, (hosted, _) in self._runs.items():
                if self._channel.unread_bytes < _MAX_UNREAD_REPORTS:  # the next one says it all
                    self._channel.send(Report(run, hosted.progress()))


def rss_bytes() -> int:
    """Return how much memory this process holds; where the system doesn't tell, the most it ever held."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
