"""Free ports of this machine."""

from __future__ import annotations

import random
import socket

# Below the range the kernel hands to outgoing connections: a server that was killed must get its port back, and no
# client socket may have taken it meanwhile.
_FIRST, _LAST = 20_000, 32_000
_random = random.Random()


def free_ports(number: int) -> list[int]:
    """Return this many different TCP ports of 127.0.0.1 that nobody listens on now."""
    found: list[int] = []
    while len(found) < number:
        port = _random.randrange(_FIRST, _LAST)
        if port not in found and _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
