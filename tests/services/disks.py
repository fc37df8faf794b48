"""Small disks of their own, in memory, that can be filled and freed again. Needs root; other disks are left alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.services.missing import ServiceMissing

_PIECE: Final = bytes(4096)


class Disk:
    """A disk that is mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "filling"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._filling.open("wb", buffering=0) as file:
            try:
                while file.write(_PIECE):
                    pass
            except OSError:
                assert os.statvfs(self.path).f_bavail == 0

    def grow(self, size: str) -> None:
        """Have so many bytes from now on."""
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def free(self) -> None:
        """Give the room back."""
        self._filling.unlink()


@contextmanager
def disk(path: Path, size: str = "32m") -> Iterator[Disk]:
    """Mount a disk of so many bytes at a new folder until the block ends. Raises ServiceMissing where that can't be."""
    if os.geteuid() != 0:
        raise ServiceMissing("a disk of its own has to be mounted, and that needs root")
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServiceMissing(f"mount: {done.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
