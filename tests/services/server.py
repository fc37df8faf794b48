"""A server of our own: one process, with a folder for its data, that a test may kill, freeze and start again."""

from __future__ import annotations

import abc
import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.cache import new_run_dir
from tests.services.process import Process

_START_DEADLINE_S = 180.0
_POLL_S = 0.05


class Server(abc.ABC):
    """A server of our own. Ports and data are kept from `start` to `start`; `close` throws the data away.

    `kill`, `pause` and `resume` act at once; `start`, `stop` and `restart` return when the server answers, or is gone.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._run_dir = new_run_dir(service)
        self._process: Process | None = None

    @abc.abstractmethod
    async def start(self) -> None:
        """Start the server and return once it answers. Raises ServiceMissing where it can't be had."""

    @abc.abstractmethod
    async def answers(self) -> bool:
        """Return whether the server answers, within a second or two."""

    @property
    def log(self) -> Path:
        """The server's own log, kept when the server is closed."""
        return self._run_dir / f"{self.service}.log"

    @property
    def pid(self) -> int:
        """The server's process id. The server must have been started."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the process is there, be it frozen."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """Shut the server down in good order (SIGTERM). Idempotent."""
        if self._process is not None:
            await self._process.stop()

    async def restart(self) -> None:
        """Stop the server if it runs, and start it on the same ports with the same data."""
        await self.stop()
        await self.start()

    def kill(self) -> None:
        """End the server at once (SIGKILL). What it acknowledged is still there when it is started again."""
        self._started().kill()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, nothing is answered."""
        self._started().pause()

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self._started().resume()

    def close(self) -> None:
        """End the server and throw its data away; its log is kept. Idempotent."""
        if self._process is not None:
            self._process.kill()
        shutil.rmtree(self._data, ignore_errors=True)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _data(self) -> Path:
        return self._run_dir / "data"

    def _started(self) -> Process:
        if self._process is None:
            raise ValueError(f"{self.service} was never started")
        return self._process

    async def _spawn(self, command: Sequence[str], env: dict[str, str] | None = None, *, root: bool = True) -> None:
        """Run the server and return once it answers; `root=False` for one that refuses to run as root."""
        self._process = await Process.spawn(command, self.log, env, None if root else self._run_dir)
        await self._wait_until_ready(self._process)

    async def _wait_until_ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(_START_DEADLINE_S):
                while not await self.answers():
                    if process.returncode is not None:
                        raise RuntimeError(f"{self.service} exited with {process.returncode}:\n{process.log_tail()}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            message = f"{self.service} did not answer within {_START_DEADLINE_S:g} s:\n{process.log_tail()}"
            raise RuntimeError(message) from None
