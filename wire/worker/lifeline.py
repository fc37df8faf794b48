"""A worker ends when its node does, whatever it is doing: a zombie would write under an epoch that is over (I4).

Three watch for that. The event loop sees the channel close, or nothing come from a node that stands still, if it turns.
A thread waits for the channel to close: it gets the interpreter from a loop that is busy with Python. Where code holds
the interpreter for long, only the kernel can help: Linux kills the worker when the thread that started it ends, which
is the node's main thread. What closes the channel of a node that lives on, the supervisor, kills the worker itself.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
EXIT_ORPHANED: Final = 70


def end_with_parent(descriptor: int) -> None:
    """End this process as soon as the other end of the stream socket `descriptor` is closed."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended in between, and the kernel does not tell of that any more
            os._exit(EXIT_ORPHANED)
    # a descriptor of its own: the loop closes the other one
    threading.Thread(target=_watch, args=(os.dup(descriptor),), name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    closed = select.poll()
    closed.register(descriptor, getattr(select, "POLLRDHUP", 0))  # POLLHUP and POLLERR are always told
    closed.poll()
    os._exit(EXIT_ORPHANED)
