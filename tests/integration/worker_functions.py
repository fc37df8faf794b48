"""Functions of somebody's own, good and bad, as `python:` calls them in a worker."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]

_HOARD: list[bytes] = []


def mark(rows: Rows) -> None:
    """Leave a mark that the function was called, in the file that a record names."""
    Path(rows[0]["marker"]).touch()


def same(rows: Rows) -> Rows:
    """Change nothing."""
    mark(rows)
    return rows


def hang(rows: Rows) -> Rows:
    """Never return, in Python: other threads get the interpreter."""
    mark(rows)
    while True:
        time.monotonic()


def hold(rows: Rows) -> Rows:
    """Keep the interpreter for minutes, in C: no other thread gets it."""
    mark(rows)
    sum(range(10**11))
    return rows


def garble(rows: Rows) -> Rows:
    """Write to the node what is no message."""
    os.write(int(sys.argv[1]), b"\0\0\0\4nope")
    return rows


def slow(rows: Rows) -> Rows:
    """Take twenty milliseconds for a batch."""
    end = time.perf_counter() + 0.02
    while time.perf_counter() < end:
        json.dumps(rows)
    return rows


def hoard(rows: Rows) -> Rows:
    """Keep another mebibyte for ever, up to a gibibyte."""
    if len(_HOARD) < 1024:
        _HOARD.append(b"x" * (1 << 20))
    return rows
