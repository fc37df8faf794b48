"""The names and files that log rotation leaves beside a live file."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from wire.clients.compression import codec_of_name, without_suffix

_NUMBER_OR_DATE: Final = r"[._-]\d[\dTZ:._-]*"


class Sibling(NamedTuple):
    """A file beside the live one, by a name that rotation gives."""

    path: str
    stat: os.stat_result


def is_rotated_name(name: str, live: str) -> bool:
    """Say whether rotation could have given a file called `live` this name: `app.log.1`, `app-20240131.log.gz`."""
    name, _ = without_suffix(name)
    stem, suffix = os.path.splitext(live)
    pattern = rf"{re.escape(live)}{_NUMBER_OR_DATE}|{re.escape(stem)}{_NUMBER_OR_DATE}{re.escape(suffix)}"
    return re.fullmatch(pattern, name) is not None


def without_rotated(paths: Sequence[str]) -> list[str]:
    """Leave out the paths whose names rotation gave to one of the others."""
    lives: dict[str, set[str]] = {}
    for path in paths:
        lives.setdefault(path, set()).add(path)
        lives.setdefault(os.path.splitext(path)[0], set()).add(path)
    return [path for path in paths if not any(is_rotated_name(path, live) for live in _candidates(path, lives))]


def _candidates(path: str, lives: dict[str, set[str]]) -> Iterator[str]:
    for cut in re.finditer(r"[._-](?=\d)", path):
        yield from lives.get(path[: cut.start()], ())


def siblings(path: str) -> list[Sibling]:
    """Return what rotation has left of `path`, oldest first. Blocks."""
    folder, live = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries if is_rotated_name(entry.name, live) and entry.is_file()]
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        rotated = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            found.append(Sibling(rotated, os.stat(rotated)))
    return sorted(found, key=lambda sibling: sibling.stat.st_mtime_ns)


def after(path: str, done: os.stat_result, seen: set[int]) -> str | None:
    """Return the file to read after one that rotation took away from `path`: the next younger, at last `path` itself.

    `seen` holds the inodes that were read already. None when there is no such file (yet). Blocks.
    """
    for sibling in siblings(path):
        age = sibling.stat.st_mtime_ns - done.st_mtime_ns
        # a compressor keeps the time of the file it compresses: the same age is the same file
        if sibling.stat.st_ino not in seen and (age > 0 or (age == 0 and codec_of_name(sibling.path) == "none")):
            return sibling.path
    return path if os.path.exists(path) else None
