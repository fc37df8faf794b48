"""Three members of each contender, started, killed and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.consensus import pysyncobj_member, wire_member
from benchmarks.consensus.callers import find_leader
from benchmarks.consensus.store import Store
from benchmarks.processes import Child, module, running, usage
from benchmarks.progress import say
from tests.services.consensus import Seat, found, seats
from tests.services.etcd import etcd
from tests.services.missing import ServiceMissing
from tests.services.ports import free_ports
from wire.raft import RaftSettings

WIRE: Final = "wire"
PYSYNCOBJ: Final = "pysyncobj"
PYSYNCOBJ_AT_ONCE: Final = "pysyncobj_at_once"
ETCD: Final = "etcd"

NAMES: Final = ("a", "b", "c")
CLUSTER: Final = "bench"
_DISK: Final = "/var/tmp"  # noqa: S108 (what is in /tmp may be in memory only: this is on a disk)
_DEFAULTS: Final = RaftSettings()


class Cluster:
    """Members by place, each with the address at which callers reach it."""

    def __init__(self, contender: str, addresses: list[str], commands: list[list[str]], folder: Path) -> None:
        """Begin with nobody started."""
        self.contender = contender
        self.addresses = addresses
        self._commands = commands
        self._folder = folder
        self._children: list[Child | None] = [None] * len(commands)
        self._stacks = [AsyncExitStack() for _ in commands]

    @property
    def is_etcd(self) -> bool:
        """Whether callers speak HTTP to it."""
        return self.contender == ETCD

    def cpu_s(self) -> float:
        """Return what all members together have used."""
        return sum(self.member_cpu_s(place) for place in range(len(self._children)))

    def member_cpu_s(self, place: int) -> float:
        """Return what one member has used."""
        child = self._children[place]
        return 0.0 if child is None else usage(child.pid).cpu_s

    async def leader(self) -> int:
        """Return the place of the member that leads, once one does and has confirmed something."""
        place, client = await find_leader(self.addresses, etcd=self.is_etcd)
        await client.close()
        return place

    async def start(self, place: int) -> None:
        """Start a member, anew if it was killed."""
        stack = self._stacks[place]
        await stack.aclose()
        name = f"{self.contender}-{NAMES[place]}"
        self._children[place] = await stack.enter_async_context(running(name, self._commands[place], self._folder))

    def kill(self, place: int) -> None:
        """End a member at once (SIGKILL)."""
        child = self._children[place]
        assert child is not None  # noqa: S101 (who is killed was started)
        os.kill(child.pid, signal.SIGKILL)

    async def __aenter__(self) -> Cluster:
        await asyncio.gather(*map(self.start, range(len(self._commands))))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(stack.aclose() for stack in self._stacks))


def contenders() -> tuple[str, ...]:
    """Return who can be measured here: etcd where it can be had, which is said."""
    ours = (WIRE, PYSYNCOBJ, PYSYNCOBJ_AT_ONCE)
    try:
        etcd()
    except ServiceMissing as missing:
        say(f"ETCD IS LEFT OUT: {missing}")
        return ours
    return (*ours, ETCD)


@asynccontextmanager
async def fresh(contender: str) -> AsyncIterator[Cluster]:
    """Give a cluster of three that begins with nothing, on a disk. Raises ServiceMissing."""
    with disk_folder() as name:
        folder = Path(name)
        if contender == WIRE:
            taken = wire_seats(folder)
            found(taken, Store)
            made = wire_cluster(taken, folder)
        elif contender == ETCD:
            made = _etcd_cluster(folder)
        else:
            made = _pysyncobj_cluster(folder, contender)
        async with made:
            yield made


def disk_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder on a disk that is removed at the end."""
    return tempfile.TemporaryDirectory(prefix="bench-", dir=_DISK, ignore_cleanup_errors=True)


def wire_seats(folder: Path) -> list[Seat]:
    """Return the seats of three members."""
    ports = free_ports(len(NAMES))
    return seats(folder, CLUSTER, {name: f"127.0.0.1:{port}" for name, port in zip(NAMES, ports, strict=True)})


def wire_cluster(
    taken: Sequence[Seat],
    folder: Path,
    snapshot_entries: int = _DEFAULTS.snapshot_entries,
    snapshot_bytes: int = _DEFAULTS.snapshot_bytes,
) -> Cluster:
    """Return Wire's members in their seats."""
    doors = free_ports(len(taken))
    starts = [
        wire_member.Start(seat, door, snapshot_entries, snapshot_bytes) for seat, door in zip(taken, doors, strict=True)
    ]
    commands = [module("consensus.wire_member", start) for start in starts]
    return Cluster(WIRE, [f"127.0.0.1:{door}" for door in doors], commands, folder)


def _pysyncobj_cluster(folder: Path, contender: str) -> Cluster:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(len(NAMES))]
    doors = free_ports(len(NAMES))
    commands = []
    for name, address, door in zip(NAMES, addresses, doors, strict=True):
        (folder / name).mkdir()
        others = [other for other in addresses if other != address]
        start = pysyncobj_member.Start(address, others, door, str(folder / name), contender == PYSYNCOBJ)
        commands.append(module("consensus.pysyncobj_member", start))
    return Cluster(contender, [f"127.0.0.1:{door}" for door in doors], commands, folder)


def _etcd_cluster(folder: Path) -> Cluster:
    ports, peer_ports = free_ports(len(NAMES)), free_ports(len(NAMES))
    urls = {name: f"https://127.0.0.1:{port}" for name, port in zip(NAMES, peer_ports, strict=True)}
    taken = seats(folder, CLUSTER, urls)
    commands = [_etcd_command(seat, urls, port) for seat, port in zip(taken, ports, strict=True)]
    return Cluster(ETCD, [f"127.0.0.1:{port}" for port in ports], commands, folder)


def _etcd_command(seat: Seat, urls: Mapping[str, str], port: int) -> list[str]:
    name = seat.member.name
    client, peer = f"http://127.0.0.1:{port}", urls[name]
    options = {
        "name": name,
        "data-dir": seat.folder,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": ",".join(f"{each}={url}" for each, url in urls.items()),
        "initial-cluster-token": seat.cluster,
        "peer-trusted-ca-file": seat.ca,
        "peer-cert-file": seat.cert,
        "peer-key-file": seat.cert,
        "peer-client-cert-auth": "true",
        "logger": "zap",
        "log-level": "warn",
    }
    return [etcd(), *(f"--{option}={value}" for option, value in options.items())]
