"""Collections and topics that change all the time, and a watcher over the documents that follow them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from tests.services.elasticsearch_client import Elasticsearch
from tests.services.mongodb_client import Client, Document
from wire.clients.mongodb_json import CODECS, encoder, key_of
from wire.core.records import Position
from wire.sources.mongodb.position import MongoPosition

SEED = int(os.environ.get("WIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
HOT = 40
_PAUSE_S = 0.002
_POLL_S = 0.02


def identity(n: int) -> Any:
    """Return the `_id` of the n-th document: ids are of several types, as ranges of a snapshot have to span them."""
    return (n, f"id-{n}", ObjectId(f"{n:024x}"))[n % 3]


def document(n: int, change: int) -> Document:
    return {"_id": identity(n), "n": n, "change": change, "pad": "x" * (n % 50)}


class Changes:
    """Changes a collection: inserts, updates, replacements, deletions, and transactions of several of them."""

    def __init__(self, client: Client, collection: AsyncCollection[Document], size: int, rng: random.Random) -> None:
        """Change `collection`, which has the documents from 0 to `size`, of which the first `HOT` change most."""
        self.made: Counter[str] = Counter()
        self._client = client
        self._collection = collection
        self._size = size
        self._rng = rng

    async def go_on(self) -> None:
        """Change something, again and again, until cancelled."""
        while True:
            if self._rng.random() < 0.15:
                await self._transaction()
            else:
                await self._change(self._any(), None)
            await asyncio.sleep(_PAUSE_S)

    def _any(self) -> int:
        return self._rng.randrange(HOT) if self._rng.random() < 0.5 else self._rng.randrange(self._size * 11 // 10)

    async def _change(self, n: int, session: AsyncClientSession | None) -> None:
        change = self.made.total()
        what = self._rng.choice(("put", "replace", "update", "update", "delete"))
        its = {"_id": identity(n)}
        match what:
            case "put":
                if await self._collection.find_one(its, {"_id": 1}, session=session) is None:
                    await self._collection.insert_one(document(n, change), session=session)
            case "replace":
                await self._collection.replace_one(its, document(n, change) | {"replaced": True}, session=session)
            case "update":
                await self._collection.update_one(its, {"$set": {"change": change, f"f{n % 5}": n}}, session=session)
            case "delete":
                await self._collection.delete_one(its, session=session)
        self.made[what] += 1

    async def _transaction(self) -> None:
        """Change several documents at once, one of them twice or more."""
        twice = self._any()
        documents = [twice, self._any(), twice, self._any(), twice]
        async with self._client.start_session() as session:
            try:
                async with await session.start_transaction():
                    for n in documents[: self._rng.randrange(3, 6)]:
                        await self._change(n, session)
            except PyMongoError as exc:  # the writer is the only one, but a server may be slow to lock
                if not exc.has_error_label("TransientTransactionError"):
                    raise
                return
        self.made["transaction"] += 1


@contextlib.asynccontextmanager
async def going_on(work: Awaitable[None]) -> AsyncIterator[None]:
    """Do `work` meanwhile; when it fails, what runs here does."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_awaited(work))
        yield
        task.cancel()


async def _awaited(work: Awaitable[None]) -> None:
    await work


class Watcher:
    """Looks at documents all the time: none may ever be seen with a lower version than before."""

    def __init__(self, elasticsearch: Elasticsearch, index: str, ids: Sequence[str]) -> None:
        self.seen: dict[str, int] = {}
        self.rises = 0
        self._url = elasticsearch.url
        self._index = index
        self._ids = ids

    async def go_on(self) -> None:
        """Look, again and again, until cancelled."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            while True:
                await self.look(client)
                await asyncio.sleep(_POLL_S)

    async def look(self, client: httpx.AsyncClient) -> None:
        """Look once. Raises httpx.HTTPError where there is no answer."""
        answer = await client.post(f"/{self._index}/_mget?_source=false", json={"ids": self._ids})
        for found in answer.raise_for_status().json()["docs"]:
            if found.get("found"):  # nothing of a shard that is not up yet
                self._see(found["_id"], found["_version"])

    def _see(self, id_: str, version: int) -> None:
        before = self.seen.get(id_, -1)
        assert version >= before, f"{id_} went back from version {before} to {version}"
        self.rises += version > before
        self.seen[id_] = version


def key(n: int) -> str:
    """Return the id in Elasticsearch of the n-th document."""
    return key_of(identity(n)).decode()


def positions(folder: Path) -> list[bytes]:
    """Return where the pipeline whose state is in `folder` would go on, nothing while it never did anything."""
    found = []
    for path in folder.rglob("checkpoints.sqlite"):
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as db, contextlib.suppress(sqlite3.OperationalError):
            found += [row[0] for row in db.execute("SELECT position FROM checkpoints")]  # it may have no tables yet
    return found


def in_snapshot(folder: Path) -> bool:
    """Say whether the pipeline has documents left to read that were there before it began."""
    found = positions(folder)
    return not found or MongoPosition.decode(Position(found[0])).snapshot is not None


async def whole(collection: AsyncCollection[Document]) -> dict[str, Document]:
    """Return what must be in the index: every document by the id it has there, without `_id`."""
    encode = encoder("relaxed")
    found = {}
    async for each in collection.with_options(codec_options=CODECS["relaxed"]).find():
        id_ = key_of(each.pop("_id")).decode()
        found[id_] = json.loads(encode(each))
    return found


async def until(condition: Callable[[], Awaitable[bool]], deadline_s: float = 240.0) -> None:
    """Wait for a condition that has to be asked for."""
    async with asyncio.timeout(deadline_s):
        while not await condition():
            await asyncio.sleep(0.05)
