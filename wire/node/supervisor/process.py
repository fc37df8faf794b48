"""One worker process, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from wire.core.errors import FatalError, root_cause
from wire.node.supervisor.settings import WorkerSettings
from wire.worker.channel import Channel, ClosedError, open_channel
from wire.worker.protocol import FROM_WORKER, Configure, FromWorker, Hello, Message, Ping, Pulse, Run

log = structlog.get_logger()

_TICK_S: Final = 0.5
_REAP_S: Final = 10.0
_OWN_ENV: Final = "WIRE_"


class LostError(FatalError):
    """The process is gone, or has to go."""


class WorkerProcess:
    """A process that runs tasks: those in `runs`. Use once."""

    def __init__(
        self, number: int, settings: WorkerSettings, heard: Callable[[WorkerProcess, FromWorker], None]
    ) -> None:
        """Prepare; `heard` is given every message, and may raise FatalError for one that must not be."""
        self.number = number
        self.runs: set[Run] = set()
        self.ready = False
        self.pulse = Pulse(0.0, 0, 0.0)
        self._settings = settings
        self._heard = heard
        self._silent_s = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel[FromWorker] | None = None
        self._condemned: FatalError | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, None before it has started."""
        return self._process.pid if self._process else None

    def send(self, message: Message) -> None:
        """Send a message, if the process is still there. One that reads nothing for too long is cut off."""
        if self._channel:
            self._channel.send(message)

    def condemn(self, error: FatalError) -> None:
        """Kill the process, stopped or not, for the reason given."""
        self._condemned = self._condemned or error
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def run(self) -> FatalError:
        """Start the process, hear it out, and return why it is gone. Cancelling kills it."""
        try:
            channel = self._channel = await self._start()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._watch())
                    await self._listen(channel)
            except BaseExceptionGroup as group:
                cause = root_cause(group)
                if not isinstance(cause, FatalError):
                    raise
                return self._condemned or cause
        except OSError as exc:
            hint = "look at the limits for processes, open files and memory"
            return LostError("worker.not_started", f"no process can be started: {exc.strerror}", hint=hint)
        finally:
            await self._end()

    async def _start(self) -> Channel[FromWorker]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # the working directory is no place to import Wire from
                    "-m",
                    "wire.worker",
                    str(theirs.fileno()),
                    *map(str, sorted(self._settings.cores or ())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=2,  # what is printed by somebody's function is log
                    pass_fds=[theirs.fileno()],
                    env={name: value for name, value in os.environ.items() if not name.startswith(_OWN_ENV)},
                )
            except BaseException:
                ours.close()
                raise
        channel = await open_channel(ours, FROM_WORKER)
        settings = self._settings
        channel.send(Configure(settings.permissions, settings.orphaned_after.s, settings.node, self.number))
        return channel

    async def _listen(self, channel: Channel[FromWorker]) -> NoReturn:
        while True:
            try:
                message = await channel.receive()
            except ClosedError:
                raise LostError("worker.exited", await self._last_words()) from None
            self._silent_s = 0.0
            match message:
                case Hello():
                    self.ready = True
                case Pulse():
                    self.pulse = message
                    self._check_memory()
            self._heard(self, message)

    def _check_memory(self) -> None:
        limit = self._settings.max_memory
        if limit is not None and self.pulse.rss_bytes > limit.bytes:
            message = f"it holds {self.pulse.rss_bytes >> 20} MiB, {limit} are allowed"
            raise LostError("worker.memory_exceeded", message, hint="allow more, or give the pipelines smaller batches")

    async def _watch(self) -> None:
        """Count the time in which nothing is heard, by ticks: if this process was stopped, it is not the worker's."""
        while True:
            await asyncio.sleep(_TICK_S)
            self.send(Ping())
            self._silent_s += _TICK_S
            limit = self._settings.max_silence if self.ready else self._settings.max_start
            if self._silent_s > limit.s:
                message = f"it has said nothing for {self._silent_s:g} s"
                raise LostError("worker.unresponsive", message, hint="one of its tasks may be stuck in a function")
            if self._process and self._process.returncode is not None:  # though something holds its socket open
                raise LostError("worker.exited", await self._last_words())

    async def _last_words(self) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                code = await self._process.wait() if self._process else 0
                return f"the process ended with {f'status {code}' if code >= 0 else signal.Signals(-code).name}"
        return "the process has closed its socket"

    async def _end(self) -> None:
        self.ready = False
        if self._channel:
            self._channel.close()
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        try:
            async with asyncio.timeout(_REAP_S):
                await self._process.wait()
        except TimeoutError:  # it waits for a disk or a device, which nothing interrupts
            log.error("worker_not_dead", pid=self._process.pid, after_s=_REAP_S)  # noqa: TRY400
