"""A member of Wire's consensus as a process: `python -m benchmarks.consensus.wire_member JSON`."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
from typing import Final, assert_never

import msgspec

from benchmarks.clients import run
from benchmarks.consensus.door import Answer, Ask, Compact, Door, Put, Read, Reply, Request, Standing, Watch
from benchmarks.consensus.store import Store, command
from tests.services.consensus import Seat, at_work
from wire.raft import RaftNode, RaftSettings, Role

_TICK_S: Final = 0.001


class Start(msgspec.Struct):
    """Who to be, the port of the door, and after how much a snapshot is taken unasked."""

    seat: Seat
    door: int
    snapshot_entries: int
    snapshot_bytes: int


class Pauses:
    """Watches how long the event loop is held up."""

    def __init__(self) -> None:
        """Begin with none seen."""
        self._longest_s = 0.0
        self._over = False

    async def watch(self) -> None:
        """Watch until `stop`."""
        while not self._over:
            before = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            self._longest_s = max(self._longest_s, time.perf_counter() - before - _TICK_S)

    def stop(self) -> None:
        """Watch no more."""
        self._over = True

    def longest_ms(self) -> float:
        """Return the longest since this was asked last."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s * 1000


class Service:
    """What is behind the door."""

    def __init__(self, node: RaftNode, pauses: Pauses, group: asyncio.TaskGroup) -> None:
        """Answer for `node`, in tasks of `group`."""
        self._node = node
        self._pauses = pauses
        self._group = group
        self._life = os.urandom(8)
        self._requests = itertools.count()

    def ask(self, request: Request, reply: Reply) -> None:
        """Answer a request when it is done."""
        match request:
            case Put():
                self._group.create_task(self._put(request, reply))
            case Read():
                self._group.create_task(self._read(request, reply))
            case Compact():
                self._group.create_task(self._compact(request, reply))
            case Watch(number):
                self._group.create_task(self._pauses.watch())
                reply(Answer(number, done=True))
            case Ask(number):
                reply(Answer(number, done=True, standing=self._standing()))
            case _:
                assert_never(request)

    async def _put(self, request: Put, reply: Reply) -> None:
        request_id = self._life + next(self._requests).to_bytes(8, "big")
        outcome = await self._node.propose(command(request.key, request.value), request_id)
        reply(Answer(request.number, isinstance(outcome, bytes)))

    async def _read(self, request: Read, reply: Reply) -> None:
        reply(Answer(request.number, await self._node.read_barrier(60)))

    async def _compact(self, request: Compact, reply: Reply) -> None:
        await self._node.snapshot()
        reply(Answer(request.number, done=True))

    def _standing(self) -> Standing:
        status = self._node.status()
        return Standing(status.role is Role.LEADER, status.applied, status.log_last, self._pauses.longest_ms())


async def main(start: Start) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    settings = RaftSettings(snapshot_entries=start.snapshot_entries, snapshot_bytes=start.snapshot_bytes)
    pauses = Pauses()
    async with at_work(start.seat, Store(), settings) as node, asyncio.TaskGroup() as group:
        service = Service(node, pauses, group)
        server = await loop.create_server(lambda: Door(service.ask), "127.0.0.1", start.door)
        await stop.wait()
        server.close()
        pauses.stop()


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Start)))
