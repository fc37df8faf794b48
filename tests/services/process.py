"""A child process that is signalled only by who started it, and never outlives us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_TETHER = Path(__file__).with_name("tethered.py")
_POLL_S = 0.02
_SIGNAL_DEADLINE_S = 10.0
_FROZEN, _DEAD = "tT", "ZX"  # states of a process, as in /proc/PID/stat

# The kernel's tether is to the thread that forked, not to the process: this one lives as long as we do.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="test-services")


class Process:
    """One running program, with what it starts. Its output goes to the end of `log`."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self.log = log

    @classmethod
    async def spawn(
        cls, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, not_root: Path | None = None
    ) -> Process:
        """Start the program in a session of its own, so that Ctrl-C reaches only us.

        With `not_root`, a program that is started by root is not root, and may write into that folder.
        """
        popen = await asyncio.get_running_loop().run_in_executor(_spawner, _popen, command, log, env, not_root)
        return cls(popen, log)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """What the program exited with, negative for a signal; None while it runs."""
        return self._popen.poll()

    async def stop(self, deadline_s: float = 20.0) -> None:
        """Ask the program to end, and kill it if it has not by the deadline. Idempotent."""
        if self.returncode is not None:
            return
        self.resume()
        self._popen.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline_s):
                while self.returncode is None:
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """End the program and what it started, at once (SIGKILL), and wait until they are gone. Idempotent."""
        self._signal(signal.SIGKILL)
        self._popen.wait()
        self._wait_while(lambda state: True)

    def pause(self) -> None:
        """Freeze the program (SIGSTOP) and return once it is frozen: its sockets stay open and nobody answers."""
        self._signal(signal.SIGSTOP)
        self._wait_while(lambda state: state not in _FROZEN)

    def resume(self) -> None:
        """Let a frozen program go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in _living(self._popen.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait_while(self, condition: Callable[[str], bool]) -> None:
        """Wait while there is a process of ours in such a state."""
        deadline = time.monotonic() + _SIGNAL_DEADLINE_S
        while any(map(condition, _living(self._popen.pid).values())):
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self._popen.pid} did not react to a signal")
            time.sleep(_POLL_S)

    def log_tail(self, lines: int = 25) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _living(session: int) -> dict[int, str]:
    """Return the state of each process of a session that is not dead yet, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _parent, _group, its_session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(its_session) == session and state not in _DEAD:
                found[int(folder.name)] = state
    return found


def _popen(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None, not_root: Path | None
) -> subprocess.Popen[bytes]:
    options = [] if not_root is None else ["--not-root", str(not_root)]
    tethered = [sys.executable, "-S", str(_TETHER), str(os.getpid()), *options, *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            tethered,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
