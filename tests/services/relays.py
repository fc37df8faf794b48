"""Passes TCP connections on from one socket to another, in a thread: between hosts, where there is no way but this."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

_CHUNK = 1 << 16


class Relays:
    """Relays until it is closed; what is cut on one side is cut on the other."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays")
        self._relaying: set[asyncio.Task[None]] = set()
        self._listening: list[socket.socket] = []
        self._thread.start()

    def relay(self, listening: socket.socket, make: Callable[[], socket.socket], address: tuple[str, int]) -> None:
        """Take connections from a socket that is bound, and pass them on by sockets of `make` to `address`."""
        listening.setblocking(False)
        listening.listen(128)
        self._listening.append(listening)
        self._loop.call_soon_threadsafe(self._start, self._accept(listening, make, address))

    def close(self) -> None:
        """Cut everything."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for each in self._listening:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._relaying.add(task)
        task.add_done_callback(self._relaying.discard)

    async def _stop(self) -> None:
        tasks = list(self._relaying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(
        self, listening: socket.socket, make: Callable[[], socket.socket], address: tuple[str, int]
    ) -> None:
        while True:
            taken, _ = await self._loop.sock_accept(listening)
            taken.setblocking(False)
            self._start(self._pass_on(taken, make, address))

    async def _pass_on(self, taken: socket.socket, make: Callable[[], socket.socket], address: tuple[str, int]) -> None:
        with taken, make() as made, suppress(OSError):
            made.setblocking(False)
            await self._loop.sock_connect(made, address)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(taken, made))
                group.create_task(self._pump(made, taken))

    async def _pump(self, source: socket.socket, target: socket.socket) -> None:
        """Pass bytes on until the end of them."""
        with suppress(OSError):
            while data := await self._loop.sock_recv(source, _CHUNK):
                await self._loop.sock_sendall(target, data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
