"""Folders that one process at a time may use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class HeldError(Exception):
    """Another process uses the folder: `holder` is its id, as far as that is known."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"process {holder} holds the lock")
        self.holder = holder


def lock_folder(folder: Path) -> int:
    """Return a descriptor that keeps every other process out of the folder until it is closed.

    The folder is made if it is not there. The kernel closes the descriptor of a process that ends, however it ends; the
    file `lock` stays, and says nothing. Raises HeldError, or OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace") or "unknown"
        os.close(descriptor)
        raise HeldError(holder) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
