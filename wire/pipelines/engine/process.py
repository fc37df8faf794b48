"""How a process is set up that moves records."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from collections.abc import Callable
from typing import Final

_SWITCH_S: Final = 0.0005
"""A busy event loop gives up the interpreter's lock so often and so shortly that a thread hardly ever gets it: with
Python's 5 ms some checkpoints took over a second, with this none took 30 ms, at the same throughput."""


def spare_the_collector() -> None:
    """Keep what was made at start out of every later collection, and collect young objects less often.

    The engine makes no cycles; decoded records die by reference count. A full collection over everything imported
    would stall the loop for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def share_the_interpreter() -> None:
    """Let threads and the event loop have the interpreter soon after they ask for it, however busy the others are."""
    sys.setswitchinterval(_SWITCH_S)


def use_all_descriptors() -> None:
    """Open as many files and connections as the system lets this user, for the processes started from here, too.

    The usual first limit of 1,024 is for programs that can't count further; a pipeline holds a dozen, a member some.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's, where it is installed; None stands for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
