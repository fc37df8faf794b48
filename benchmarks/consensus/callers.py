"""Callers as a process: `python -m benchmarks.consensus.callers JSON`. Prints one JSON line at the end."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from benchmarks import arithmetic
from benchmarks.arithmetic import Latency
from benchmarks.clients import run
from benchmarks.consensus.door import DoorClient
from benchmarks.consensus.etcd_client import EtcdClient
from benchmarks.consensus.store import KEYS

VALUE_BYTES: Final = 256
KEY_BYTES: Final = 16
_LEADER_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.05


class Closed(msgspec.Struct, tag="closed"):
    """So many callers, each of whom asks again as soon as it has its answer; the first `warm_up_s` do not count.

    With `gateway` they ask etcd for something that needs no consensus instead.
    """

    addresses: list[str]
    etcd: bool
    callers: int
    seconds: float
    warm_up_s: float
    gateway: bool = False


class Steady(msgspec.Struct, tag="steady"):
    """So many commands a second, whatever becomes of those before: latency counts from when each was meant to go."""

    addresses: list[str]
    rate: float
    seconds: float
    warm_up_s: float


class Called(msgspec.Struct):
    """What the callers saw. What was not confirmed was asked again, by closed callers, and is counted apart."""

    latency: Latency
    per_s: float
    unconfirmed: int


class Client(Protocol):
    """A way to one member."""

    async def put(self, key: bytes, value: bytes) -> bool:
        """Return once the value is confirmed, or is known not to be."""
        ...

    async def leads(self) -> bool:
        """Return whether the member leads, as far as it knows."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


async def connect(address: str, *, etcd: bool) -> Client:
    """Return a way to the member that is reached there. Raises OSError."""
    return EtcdClient(address) if etcd else await DoorClient.connect(address)


async def find_leader(addresses: list[str], *, etcd: bool) -> tuple[int, Client]:
    """Return the place of the one that leads, and a way to it, once there is one. Raises TimeoutError."""
    async with asyncio.timeout(_LEADER_DEADLINE_S):
        while True:
            for place, address in enumerate(addresses):
                try:
                    client = await connect(address, etcd=etcd)
                except OSError:
                    continue
                if await client.leads() and await client.put(b"ready", b""):
                    return place, client
                await client.close()
            await asyncio.sleep(_POLL_S)


class Work:
    """Keys and values to put, always the same ones."""

    def __init__(self) -> None:
        """Begin with the first."""
        self._rng = random.Random(0)

    def next(self) -> tuple[bytes, bytes]:
        """Return a key of KEY_BYTES and a value of VALUE_BYTES."""
        key = b"key-%012d" % self._rng.randrange(KEYS)
        return key, self._rng.randbytes(VALUE_BYTES)


async def ask_in_turn(task: Closed, ask: Callable[[bytes, bytes], Awaitable[bool]]) -> Called:
    """Let the callers ask until the time is over."""
    work = Work()
    began = time.monotonic_ns() + int(task.warm_up_s * 1e9)
    end = began + int(task.seconds * 1e9)
    taken: list[int] = []
    unconfirmed = 0

    async def caller() -> None:
        nonlocal unconfirmed
        while (asked := time.monotonic_ns()) < end:
            if not await ask(*work.next()):
                unconfirmed += 1
                await asyncio.sleep(_POLL_S)
                continue
            answered = time.monotonic_ns()
            if began <= answered < end:
                taken.append(answered - asked)

    async with asyncio.TaskGroup() as group:
        for _ in range(task.callers):
            group.create_task(caller())
    return Called(arithmetic.latency(taken), len(taken) / task.seconds, unconfirmed)


async def ask_at_their_time(task: Steady, client: Client) -> Called:
    """Ask at a steady rate. Raises RuntimeError at the first command that is not confirmed."""
    work = Work()
    start = time.monotonic_ns()
    began = start + int(task.warm_up_s * 1e9)
    taken: list[int] = []

    async def one(due: int) -> None:
        if not await client.put(*work.next()):
            raise RuntimeError("a command was not confirmed")
        if due >= began:
            taken.append(time.monotonic_ns() - due)

    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            due = start + int(number / task.rate * 1e9)
            if due >= began + task.seconds * 1e9:
                break
            if (early := due - time.monotonic_ns()) > 0:
                await asyncio.sleep(early / 1e9)
            group.create_task(one(due))
    took_s = (time.monotonic_ns() - began) / 1e9
    return Called(arithmetic.latency(taken), len(taken) / took_s, unconfirmed=0)


async def main(task: Closed | Steady) -> None:
    """Do one task and report it; the line `ready` says that the callers begin."""
    _, client = await find_leader(task.addresses, etcd=isinstance(task, Closed) and task.etcd)
    print("ready", flush=True)
    match task:
        case Steady():
            called = await ask_at_their_time(task, client)
        case Closed(gateway=True):
            assert isinstance(client, EtcdClient)  # noqa: S101 (for the type checker: nobody else has a gateway)
            gateway = client
            called = await ask_in_turn(task, lambda key, _: gateway.nothing(key))
        case Closed():
            called = await ask_in_turn(task, client.put)
    print(msgspec.json.encode(called).decode(), flush=True)


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Closed | Steady)))
