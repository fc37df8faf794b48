"""The rival for documents: a hand-written pymongo loop. `python -m benchmarks.bare_mongodb JSON`.

What somebody who knows the client would write: whole batches decoded by bson's C code, one encoder, the next batch
under way meanwhile, and records equal to Wire's, headers included. A snapshot without a target ends by itself and
prints how many documents it read; anything else runs until SIGTERM. It keeps no positions and retries nothing.
"""

from __future__ import annotations

import asyncio
import datetime
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from bson import DatetimeMS, Int64, ObjectId, Timestamp, decode_all
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from benchmarks.clients import DEADLINE_S, producing, run, send

_BATCH = 500
_EPOCH = datetime.datetime(1970, 1, 1)
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)

Header = tuple[str, bytes]
Entry = tuple[bytes, bytes, int, list[Header]]
"""Key, value, milliseconds, headers."""


class Place(msgspec.Struct):
    """A collection, and the topic to copy it to."""

    uri: str
    database: str
    collection: str
    bootstrap: str = ""
    target: str = ""


class Snapshot(Place, tag="snapshot"):
    """Read all documents; without a target, throw them away."""


class Changes(Place, tag="changes", kw_only=True):
    """Read all changes since a cluster time."""

    seconds: int
    increment: int


def _plain(value: Any) -> Any:
    """Return what msgspec can't write itself as relaxed Extended JSON."""
    kind = type(value)
    if kind is Int64:
        return int(value)
    if kind is ObjectId:
        return {"$oid": str(value)}
    if kind is DatetimeMS:
        ms = int(value)
        moment = _EPOCH + datetime.timedelta(milliseconds=ms)
        return {"$date": moment.isoformat(timespec="milliseconds" if ms % 1000 else "seconds") + "Z"}
    raise TypeError(kind.__name__)


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def entry(document: dict[str, Any], ms: int, headers: list[Header]) -> Entry:
    """Return a document as it goes into a topic."""
    key = str(document["_id"])
    document["_id"] = {"$oid": key}
    return key.encode(), _encode(document), ms, headers


async def _ahead(fetch: Callable[[], Awaitable[Any]]) -> AsyncIterator[Any]:
    """Yield what `fetch` returns for ever, with the next call under way."""
    under_way = asyncio.ensure_future(fetch())
    try:
        while True:
            found = await under_way
            under_way = asyncio.ensure_future(fetch())
            yield found
    finally:
        under_way.cancel()
        await asyncio.gather(under_way, return_exceptions=True)


async def snapshot(collection: AsyncCollection[Any], task: Snapshot) -> AsyncIterator[list[Entry]]:
    """Yield the documents, batch by batch."""
    headers = [("mongodb.op", b"snapshot"), ("mongodb.ns", f"{task.database}.{task.collection}".encode())]
    now_ms = int(datetime.datetime.now(datetime.UTC).timestamp()) * 1000
    cursor = collection.find_raw_batches({}, batch_size=_BATCH)

    async def fetch() -> bytes:
        return await anext(cursor, b"")

    async with aclosing(_ahead(fetch)) as batches:  # type: ignore[type-var]
        async for raw in batches:
            if not raw:
                return
            yield [entry(document, now_ms, headers) for document in decode_all(raw, CODEC)]


async def changes(collection: AsyncCollection[Any], task: Changes) -> AsyncIterator[list[Entry]]:
    """Yield the changes, batch by batch, for ever."""
    start = {"startAtOperationTime": Timestamp(task.seconds, task.increment), "fullDocument": "updateLookup"}
    cursor = await collection.aggregate([{"$changeStream": start}], batchSize=_BATCH, maxAwaitTimeMS=1000)
    async with aclosing(_ahead(lambda: cursor.to_list(_BATCH))) as batches:  # type: ignore[type-var]
        async for events in batches:
            yield list(_entries(events))


def _entries(events: list[dict[str, Any]]) -> Iterator[Entry]:
    for event in events:
        ns = event["ns"]
        headers = [
            ("mongodb.op", event["operationType"].encode()),
            ("mongodb.ns", f"{ns['db']}.{ns['coll']}".encode()),
        ]
        yield entry(event["fullDocument"], int(event["wallTime"]), headers)


async def copy(producer: AIOKafkaProducer, target: str, batches: AsyncIterator[list[Entry]]) -> None:
    """Copy to a topic, one request ahead of the broker."""
    sent: asyncio.Future[Any] | None = None
    async for entries in batches:
        at = 0
        while at < len(entries):
            builder = producer.create_batch()
            for key, value, ms, headers in entries[at:]:
                if builder.append(timestamp=ms, key=key, value=value, headers=headers) is None:
                    break
                at += 1
            builder.close()
            if sent is not None:
                await asyncio.wait_for(sent, DEADLINE_S)
            sent = await send(producer, target, builder)
    if sent is not None:
        await asyncio.wait_for(sent, DEADLINE_S)


async def _until_told(task: Snapshot | Changes, batches: AsyncIterator[list[Entry]]) -> None:
    async with producing(task.bootstrap, idempotent=True) as producer, asyncio.TaskGroup() as tasks:

        async def work() -> None:
            await copy(producer, task.target, batches)
            await asyncio.Event().wait()

        working = tasks.create_task(work())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)


async def main(task: Snapshot | Changes) -> None:
    """Do one task."""
    async with AsyncMongoClient[dict[str, Any]](task.uri) as client:
        collection = client[task.database].get_collection(task.collection, codec_options=CODEC)
        batches = snapshot(collection, task) if isinstance(task, Snapshot) else changes(collection, task)
        if task.target:
            await _until_told(task, batches)
        else:
            count = 0
            async for entries in batches:
                count += len(entries)
            print(count, flush=True)


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Snapshot | Changes)))
