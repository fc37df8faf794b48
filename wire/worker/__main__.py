"""`python -m wire.worker FD [CORE ...]`: a worker process that speaks with its node over the inherited socket FD."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import Final

import structlog

from wire.core.errors import WireError, root_cause
from wire.pipelines.engine.process import loop_factory, share_the_interpreter, spare_the_collector
from wire.worker.channel import open_channel
from wire.worker.discretion import Discretion
from wire.worker.lifeline import end_with_parent
from wire.worker.logs import log_json
from wire.worker.protocol import FROM_NODE
from wire.worker.worker import Worker

log = structlog.get_logger()

_NICE: Final = 5
_OOM_SCORE: Final = b"500"


def main(descriptor: int, *cores: int) -> int:
    """Run tasks on the cores given until the node closes the socket; return what the process exits with."""
    if cores:  # before it has threads, which take it from the first one
        os.sched_setaffinity(0, cores)
    for number in (signal.SIGINT, signal.SIGTERM):  # they go to the whole group: the node drains, then closes
        signal.signal(number, signal.SIG_IGN)
    end_with_parent(descriptor)
    _give_way()
    discretion = Discretion()
    log_json(discretion)
    share_the_interpreter()
    spare_the_collector()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(descriptor, discretion))
    except BaseExceptionGroup as group:
        error = root_cause(group)
        if not isinstance(error, WireError):
            raise
        log.error("worker_ends", code=error.code, error=error.message)  # noqa: TRY400 (its stack says nothing)
        return 1
    return 0


async def _serve(descriptor: int, discretion: Discretion) -> None:
    end = socket.socket(fileno=descriptor)
    end.set_inheritable(False)  # what somebody's function starts must not keep it open
    await Worker(await open_channel(end, FROM_NODE), discretion).serve()


def _give_way() -> None:
    """Let the node's process, which answers its peers, go first: for the processor, and to stay when memory is out."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(_OOM_SCORE)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
