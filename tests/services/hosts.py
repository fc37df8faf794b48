"""Several hosts on this machine: network namespaces on a bridge of their own, whose cables can be pulled.

Needs root and iproute2. Nothing of it touches the machine's own network.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from tests.services import debian
from tests.services.missing import ServiceMissing

_SUBNET = "10.77.0"
_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_NOBODY = "02:00:00:00:00:01"  # no network card has this address


class Hosts:
    """Hosts by name, each with an address."""

    def __init__(self, names: str) -> None:
        self._id = uuid4().hex[:6]
        self._hub = f"wire-{self._id}"
        self.addresses = {name: f"{_SUBNET}.{number}" for number, name in enumerate(names, 1)}
        self._inside: dict[str, ThreadPoolExecutor] = {}

    def prefix(self, name: str) -> list[str]:
        """Return what a command begins with that is to run on a host."""
        return ["ip", "netns", "exec", f"{self._hub}-{name}"]

    def socket(self, name: str) -> socket.socket:
        """Return a new TCP socket of a host. It reaches what the host reaches, whoever uses it, itself not blocking."""
        if name not in self._inside:
            namespace = _NAMESPACES / f"{self._hub}-{name}"
            self._inside[name] = ThreadPoolExecutor(1, initializer=_enter, initargs=(namespace,))
        return self._inside[name].submit(_socket).result()

    def pull(self, name: str) -> None:
        """Cut a host off from all others."""
        self._on_hub("link", "set", f"to-{name}", "down")

    def plug(self, name: str) -> None:
        """Connect it again."""
        self._on_hub("link", "set", f"to-{name}", "up")

    def mute(self, name: str, *listeners: str) -> None:
        """Lose what a host sends to some others; what they send arrives."""
        for listener in listeners:
            self._on(name, "neigh", "replace", self.addresses[listener], "lladdr", _NOBODY, "dev", "cable")

    def unmute(self, name: str, *listeners: str) -> None:
        """Let it be heard again."""
        for listener in listeners:
            self._on(name, "neigh", "delete", self.addresses[listener], "dev", "cable")

    def set_up(self) -> None:
        _ip("netns", "add", self._hub)
        self._on_hub("link", "add", "bridge", "type", "bridge")
        self._on_hub("link", "set", "bridge", "up")
        for name, address in self.addresses.items():
            host = f"{self._hub}-{name}"
            _ip("netns", "add", host)
            self._on_hub("link", "add", f"to-{name}", "type", "veth", "peer", "name", "cable", "netns", host)
            self._on_hub("link", "set", f"to-{name}", "master", "bridge", "up")
            self._on(name, "address", "add", f"{address}/24", "dev", "cable")
            self._on(name, "link", "set", "cable", "up")
            self._on(name, "link", "set", "lo", "up")

    def tear_down(self) -> None:
        for thread in self._inside.values():
            thread.shutdown()
        for namespace in (*(f"{self._hub}-{name}" for name in self.addresses), self._hub):
            with suppress(ServiceMissing):  # it may not have been made
                _ip("netns", "delete", namespace)

    def _on_hub(self, *arguments: str) -> None:
        _ip("-n", self._hub, *arguments)

    def _on(self, name: str, *arguments: str) -> None:
        _ip("-n", f"{self._hub}-{name}", *arguments)


@contextmanager
def hosts(names: str) -> Iterator[Hosts]:
    """Give hosts of these one-letter names until the block ends. Raises ServiceMissing where there can be none."""
    if os.geteuid() != 0:
        raise ServiceMissing("several hosts need network namespaces, and those need root")
    if shutil.which("ip") is None:
        debian.install("iproute2")
    its = Hosts(names)
    try:
        its.set_up()
        yield its
    finally:
        its.tear_down()


def _enter(namespace: Path) -> None:
    """Put the thread that calls into a network namespace."""
    with namespace.open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"can't enter {namespace}")


def _socket() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceMissing(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
