"""What a node without a cluster waits for, said to whoever asks and in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import structlog

from wire.api.views import Check
from wire.core.clock import Clock
from wire.core.errors import UnavailableError, WireError
from wire.node.credentials import LOOK_S
from wire.node.front import Front

log = structlog.get_logger()

Trouble: TypeAlias = WireError | str | None
"""What is the matter with a node that was asked: what the call came to, or what it said; None if nothing is."""

_AGAIN_S: Final = 30.0
_CHANGED_S: Final = 5.0
_HOPELESS_S: Final = 5 * LOOK_S
"""Files that are renewed on either side are in use by then."""
_SILENT: Final = ("rpc.unreachable", "rpc.lost", "rpc.timeout")
_CERTIFICATES: Final = (
    "node.no_certificate",
    "rpc.certificate_refused",
    "rpc.unencrypted",
    "rpc.untrusted_certificate",
    "rpc.wrong_certificate",
)


class Waiting:
    """Tells at /readyz at once; in the log at first, every half minute, and soon where it is something else."""

    def __init__(self, front: Front, clock: Clock) -> None:
        """Tell through `front`."""
        self._front = front
        self._clock = clock
        self._told: tuple[str, ...] = ()
        self._told_at: float | None = None
        self._refused_since: float | None = None

    def tell(self, reason: str, peers: Mapping[str, Trouble], **progress: int) -> None:
        """Tell what is waited for, and what is the matter with the nodes at these addresses.

        Raises UnavailableError once waiting can't help: all who answer have said for a while that certificates are not
        accepted, theirs here or this node's there.
        """
        words = {
            name: trouble.message if isinstance(trouble, WireError) else trouble for name, trouble in peers.items()
        }
        node = Check(name="node", ok=False, message=f"it belongs to no cluster yet: {reason}")
        others = [Check(name=name, ok=not trouble, message=trouble or "") for name, trouble in words.items()]
        self._front.checks = (node, *others)
        now = self._clock.monotonic()
        refusals = [each for each in peers.values() if isinstance(each, WireError) and each.code in _CERTIFICATES]
        self._give_up(refusals, len([each for each in peers.values() if not _is_silence(each)]), now)
        troubles = tuple(f"{name}: {trouble}" for name, trouble in words.items() if trouble)
        pause_s = _AGAIN_S if (reason, *troubles) == self._told else _CHANGED_S
        if self._told_at is None or now - self._told_at >= pause_s:
            self._told, self._told_at = (reason, *troubles), now
            if refusals:
                what = {"code": refusals[0].code, "hint": refusals[0].hint}
                log.warning("cluster_awaited", reason=reason, troubles=list(troubles), **what, **progress)
            else:
                log.info("cluster_awaited", reason=reason, troubles=list(troubles), **progress)

    def _give_up(self, refusals: Sequence[WireError], answers: int, now: float) -> None:
        if not refusals or len(refusals) < answers:
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        elif now - self._refused_since >= _HOPELESS_S:
            raise UnavailableError(refusals[0].code, refusals[0].message, hint=refusals[0].hint)


def _is_silence(trouble: Trouble) -> bool:
    return isinstance(trouble, WireError) and trouble.code in _SILENT
