"""The documents that are measured: orders of a shop, in BSON, and a collection filled with them quickly."""

from __future__ import annotations

import asyncio
import datetime
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection

from benchmarks import jobs

DOCUMENT_BYTES = 1024
_THREADS = 4
_BATCH = 2000
_KINDS = 90
_FIXED_BYTES = 4 + 17 + 12 + 12
"""The length, and the three fields that differ from document to document, with their names."""


def document(number: int) -> bytes:
    """Return document `number`: `DOCUMENT_BYTES` of BSON, with the `ts` and `id` that the counter reads."""
    return b"".join(
        (
            struct.pack("<i", DOCUMENT_BYTES),
            b"\x07_id\0" + (number + 1).to_bytes(12, "big"),
            b"\x12ts\0" + struct.pack("<q", jobs.TS_BASE + number),
            b"\x12id\0" + struct.pack("<q", jobs.ID_BASE + number),
            _TAILS[number % _KINDS],
        )
    )


def _tail(kind: int) -> bytes:
    """Return the fields that repeat, padded to the size of a document."""
    placed = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=kind * 86_399_837)
    fields = {
        "status": ("open", "paid", "shipped")[kind % 3],
        "placed_at": placed,
        "total": 17.25 * (kind + 1),
        "express": kind % 2 == 0,
        "customer": {"name": f"Customer {kind}", "city": "Zürich", "since": placed - datetime.timedelta(days=kind)},
        "items": [
            {"sku": f"SKU-{kind * 7 + item:05d}", "quantity": item + 1, "price": 5.75 * (item + 1), "gift": None}
            for item in range(5)
        ],
        "note": "",
    }
    padding = DOCUMENT_BYTES - _FIXED_BYTES - len(bson.encode(fields)) + 4
    text = "".join(f"{kind * 31 + word:x} " for word in range(padding))[:padding]
    return bson.encode(fields | {"note": text})[4:]


_TAILS = [_tail(kind) for kind in range(_KINDS)]


async def fill(uri: str, database: str, collection: str, count: int) -> None:
    """Insert the first `count` documents, several batches at a time."""
    await asyncio.to_thread(_fill, uri, database, collection, count)


def _fill(uri: str, database: str, name: str, count: int) -> None:
    with MongoClient[RawBSONDocument](uri) as client, ThreadPoolExecutor(_THREADS) as threads:
        collection = client[database][name]
        for _ in threads.map(lambda numbers: _insert(collection, numbers), _ranges(count)):
            pass


def _insert(collection: Collection[RawBSONDocument], numbers: range) -> None:
    collection.insert_many([RawBSONDocument(document(number)) for number in numbers], ordered=False)


def _ranges(count: int) -> Iterator[range]:
    return (range(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))
