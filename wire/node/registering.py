"""A node tells the cluster what it is: at each start, and again should it have been forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from wire.cluster.commands import Done, RegisterNode
from wire.core.clock import Clock
from wire.core.errors import RetryableError
from wire.node.control.asking import Asking

log = structlog.get_logger()

_LOOK_S: Final = 1.0


async def stay_registered(asking: Asking, clock: Clock, command: Callable[[], RegisterNode]) -> NoReturn:
    """Register, then again whenever the cluster knows no node of that name: it would be given no tasks.

    So it is when a removal of its older self comes to its end late. Raises RefusedError where the cluster has commands
    that this release does not understand.
    """
    registered = False
    while True:
        if not registered or command().name not in asking.known.nodes:
            try:
                await asking.carry_out(command(), b"", Done)
                registered = True
            except RetryableError as exc:
                log.debug("registration_waits", code=exc.code, reason=exc.message)
        await clock.sleep(_LOOK_S)
