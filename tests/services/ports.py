"""Free ports of this machine."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Sequence
from typing import Final

# Below the range the kernel hands to outgoing connections: a server that was killed must get its port back, and no
# client socket may have taken it meanwhile.
_FIRST: Final = 20_000
_SHARES: Final = 12
_SHARE: Final = 1000


def ports_of(worker: str | None) -> Sequence[int]:
    """Return the ports of one of the processes that share the tests, `gw0` and so on; all where nothing is shared.

    Nobody else may take the port of a server that is down for a moment.
    """
    share = 0 if worker is None else int(worker.removeprefix("gw")) % _SHARES
    return range(_FIRST + share * _SHARE, _FIRST + (_SHARES if worker is None else share + 1) * _SHARE)


def _in_any_order(ports: Sequence[int]) -> list[int]:
    return random.Random().sample(ports, len(ports))


_next = itertools.cycle(_in_any_order(ports_of(os.environ.get("PYTEST_XDIST_WORKER"))))


def free_ports(number: int) -> list[int]:
    """Return this many different TCP ports of 127.0.0.1 that nobody listens on now, none that was given lately."""
    return list(itertools.islice(filter(_is_free, _next), number))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
