"""Progress lines, with the time since the start."""

from __future__ import annotations

import sys
import time

_STARTED_S = time.monotonic()


def say(text: str) -> None:
    """Print one line to standard error."""
    print(f"[{time.monotonic() - _STARTED_S:5.0f} s] {text}", file=sys.stderr, flush=True)
