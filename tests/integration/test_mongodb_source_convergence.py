"""Whatever is written meanwhile and however often reading begins anew, the newest record of a key is the document."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from tests.integration.mongodb_source_kit import opened, to_end
from tests.services.mongodb_client import Database, MongoDB
from wire.core.ports import ReadLimit
from wire.core.records import Position, Record

pytestmark = pytest.mark.mongodb

_KEYS = 400


class Replica:
    """What a sink keeps that takes a record unless it holds a newer one, as Elasticsearch does with `external_gte`."""

    def __init__(self) -> None:
        self.versions: dict[bytes, int] = {}
        self.documents: dict[bytes, Any] = {}

    def apply(self, record: Record) -> None:
        key = record.key or b""
        if record.offset < self.versions.get(key, 0):
            return
        self.versions[key] = record.offset
        self.documents.pop(key, None)
        if record.value is not None:
            self.documents[key] = json.loads(record.value)


async def _write(db: Database, rng: random.Random, enough: asyncio.Event) -> None:
    """Insert, change and delete, some of it in transactions, until told that it is enough."""
    count = 0
    while not enough.is_set():
        count += 1
        key = rng.randrange(_KEYS * 2)
        match rng.randrange(5):
            case 0:
                await db.items.delete_one({"_id": key})
            case 1:
                await db.items.update_one({"_id": key}, {"$set": {"v": count}})
            case 2:
                await _in_transaction(db, rng, count)
            case _:
                await db.items.replace_one({"_id": key}, {"v": count, "pad": "x" * rng.randrange(300)}, upsert=True)


async def _in_transaction(db: Database, rng: random.Random, count: int) -> None:
    async with db.client.start_session() as session, await session.start_transaction():
        for _ in range(rng.randrange(1, 6)):
            key = rng.randrange(_KEYS * 2)
            await db.items.delete_one({"_id": key}, session=session)
            if rng.random() < 0.7:
                await db.items.insert_one({"_id": key, "v": count, "in": "transaction"}, session=session)


@pytest.mark.parametrize("seed", range(4))
async def test_the_records_converge_to_the_collection(mongodb: MongoDB, seed: int) -> None:
    rng = random.Random(seed)
    replica = Replica()
    position: Position | None = None
    async with mongodb.database() as db:
        await db.items.insert_many([{"_id": n, "v": 0} for n in range(_KEYS)])
        fields: dict[str, Any] = {
            "database": db.name,
            "collection": "items",
            "snapshot_chunk": rng.choice((7, 50, 1000)),
            "snapshot_readers": rng.choice((1, 3)),
        }
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_write(db, rng, enough))
            for _ in range(12):
                position = await _live(mongodb.uri, position, rng, replica, fields)
            enough.set()
        async with opened(mongodb.uri, position, bounded=True, **fields) as reader:
            for batch in await to_end(reader):
                for record in batch.records:
                    replica.apply(record)
        documents = {b"%d" % each["_id"]: each async for each in db.items.find()}
    assert replica.documents == documents


async def _live(
    uri: str, position: Position | None, rng: random.Random, replica: Replica, fields: dict[str, Any]
) -> Position | None:
    """Read some batches and die; return a checkpoint that covers all or fewer of them."""
    checkpoints = [position]
    async with opened(uri, position, **fields) as reader:
        if position is None:  # the engine commits a first batch that only tells where the partition begins
            first = await reader.read(ReadLimit(1, 1))
            assert first is not None
            assert not first.records
            checkpoints = [first.position]
        for _ in range(rng.randrange(1, 8)):
            batch = await reader.read(ReadLimit(rng.choice((1, 20, 200)), 1 << 20))
            assert batch is not None
            for record in batch.records:
                replica.apply(record)
            checkpoints.append(batch.position)
    return rng.choice(checkpoints[-3:])
