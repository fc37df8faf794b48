"""What `wire doctor` says of one thing, and its look at folders. Imports little: it runs where much is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from wire.cli.numbers import size

_LITTLE_SPACE: Final = 1 << 30


class Check(Struct, frozen=True):
    """One thing that was looked at. `missing` is worse than `optional`, which only says what could be had."""

    check: str
    status: Literal["ok", "optional", "missing"]
    detail: str


def folder(name: str, path: Path, remedy: str) -> Check:
    """Look whether something can be written in a folder, without making it; `remedy` says what to do if not."""
    existing = next(above for above in [path.absolute(), *path.absolute().parents] if above.exists())
    if not existing.is_dir():
        return Check(name, "missing", f"{existing} is not a folder; {remedy}")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check(name, "missing", f"{existing} is not writable; {remedy}")
    free = shutil.disk_usage(existing).free
    if free < _LITTLE_SPACE:
        return Check(name, "optional", f"{path}, only {size(free)} free")
    return Check(name, "ok", f"{path}, {size(free)} free")
