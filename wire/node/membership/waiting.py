"""What a node without a cluster waits for, said to whoever asks and in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from wire.api.views import Check
from wire.core.clock import Clock
from wire.node.front import Front

log = structlog.get_logger()

_AGAIN_S: Final = 30.0
_CHANGED_S: Final = 5.0


class Waiting:
    """Tells at /readyz at once; in the log at first, every half minute, and soon where it is something else."""

    def __init__(self, front: Front, clock: Clock) -> None:
        """Tell through `front`."""
        self._front = front
        self._clock = clock
        self._told: tuple[str, ...] = ()
        self._told_at: float | None = None

    def tell(self, reason: str, peers: Mapping[str, str | None], **progress: int) -> None:
        """Tell what is waited for, and how the nodes at these addresses are: None, or what is the matter with them."""
        node = Check(name="node", ok=False, message=f"it belongs to no cluster yet: {reason}")
        others = [Check(name=name, ok=not trouble, message=trouble or "") for name, trouble in peers.items()]
        self._front.checks = (node, *others)
        troubles = tuple(f"{name}: {trouble}" for name, trouble in peers.items() if trouble)
        now = self._clock.monotonic()
        pause_s = _AGAIN_S if (reason, *troubles) == self._told else _CHANGED_S
        if self._told_at is None or now - self._told_at >= pause_s:
            self._told, self._told_at = (reason, *troubles), now
            log.info("cluster_awaited", reason=reason, troubles=list(troubles), **progress)
