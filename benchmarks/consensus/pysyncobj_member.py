"""A member of a stock pysyncobj cluster as a process: `python -m benchmarks.consensus.pysyncobj_member JSON`.

Set up as its documentation does: a thread of its own, TCP, a journal and a dump file. Its journal is a mapped file that
is flushed when the process ends in good order and at no other time; no setting changes that. So what it confirms
survives a process that is killed, and not a machine that loses its power.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, assert_never

import msgspec
from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf, replicated

from benchmarks.clients import run
from benchmarks.consensus.door import Answer, Ask, Compact, Door, Put, Read, Reply, Request, Standing, Watch


class Start(msgspec.Struct):
    """Addresses, the port of the door, the folder, and whether commands wait to be sent together (its default)."""

    address: str
    others: list[str]
    door: int
    folder: str
    batches: bool


class Store(SyncObj):  # type: ignore[misc]  # it comes without types
    """Keys and their values."""

    def __init__(self, start: Start) -> None:
        """Take part."""
        conf = SyncObjConf(
            journalFile=f"{start.folder}/journal",
            fullDumpFile=f"{start.folder}/dump",
            appendEntriesUseBatch=start.batches,
        )
        super().__init__(start.address, start.others, conf)
        self._values: dict[bytes, bytes] = {}

    @replicated  # type: ignore[untyped-decorator]
    def put(self, key: bytes, value: bytes) -> None:
        """Give a key a value."""
        self._values[key] = value


class Service:
    """What is behind the door."""

    def __init__(self, store: Store) -> None:
        """Answer for `store`."""
        self._store = store
        self._loop = asyncio.get_running_loop()

    def ask(self, request: Request, reply: Reply) -> None:
        """Answer a request when it is done."""
        match request:
            case Put(number, key, value):

                def confirmed(_: Any, error: int) -> None:
                    answer = Answer(number, error == FAIL_REASON.SUCCESS)
                    self._loop.call_soon_threadsafe(reply, answer)

                self._store.put(key, value, callback=confirmed)
            case Ask(number):
                reply(Answer(number, done=True, standing=Standing(self._store._isLeader())))
            case Read(number) | Compact(number) | Watch(number):
                reply(Answer(number, done=False))
            case _:
                assert_never(request)


async def main(start: Start) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    store = Store(start)
    service = Service(store)
    server = await loop.create_server(lambda: Door(service.ask), "127.0.0.1", start.door)
    await stop.wait()
    server.close()
    store.destroy()


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Start)))
