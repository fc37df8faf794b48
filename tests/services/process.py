"""A child process that is signalled only by who started it, and never outlives us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_TETHER = Path(__file__).with_name("tethered.py")
_POLL_S = 0.02

# The kernel's tether is to the thread that forked, not to the process: this one lives as long as we do.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="test-services")


class Process:
    """One running program. Its output goes to the end of `log`."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self.log = log

    @classmethod
    async def spawn(cls, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Process:
        """Start the program in a session of its own, so that Ctrl-C reaches only us."""
        popen = await asyncio.get_running_loop().run_in_executor(_spawner, _popen, command, log, env)
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
        """End the program at once (SIGKILL) and wait until it is gone. Idempotent."""
        self._popen.kill()
        self._popen.wait()

    def pause(self) -> None:
        """Freeze the program (SIGSTOP) and return once it is frozen: its sockets stay open and nobody answers."""
        self._popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a frozen program go on (SIGCONT)."""
        self._popen.send_signal(signal.SIGCONT)

    def log_tail(self, lines: int = 25) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _popen(command: Sequence[str], log: Path, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    tethered = [sys.executable, "-S", str(_TETHER), str(os.getpid()), *command]
    with log.open("ab") as output:
        return subprocess.Popen(
            tethered,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
