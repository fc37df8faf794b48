"""Harnesses of the `mongodb` source: a collection of a real replica set, as its snapshot and as its changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from uuid import uuid4

import pytest

from tests.services.mongodb_client import MongoDB
from wire.core.config import Secret
from wire.core.plugins import ComponentContext
from wire.core.ports import Reader, Source
from wire.core.records import PartitionId, Position
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.position import MongoPosition, pack_token
from wire.sources.mongodb.source import MongoSource
from wire.sources.mongodb.stream import now
from wire.sources.mongodb.watched import Watched
from wire.testing.harness import SourceHarness

_DATABASE = "wire_conformance"


class MongoSnapshot(SourceHarness):
    """What is there when the source begins. One chunk at a time, since chunks come in any order."""

    seeds = range(2)
    deadline_s = 100
    offsets_repeat = True

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.server: MongoDB = request.getfixturevalue("mongodb")
        self.collection = f"c_{uuid4().hex[:12]}"
        self.count = 0

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        async with self.server.client() as client:
            await client[_DATABASE].create_collection(self.collection)
        await self.begin()
        return {PartitionId(f"{_DATABASE}.{self.collection}"): await self._insert([v for each in values for v in each])}

    async def begin(self) -> None:
        """Prepare what must be there before the first document."""

    def config(self, collection: str) -> MongoSourceConfig:
        uri = Secret(self.server.uri)
        return MongoSourceConfig(
            uri=uri, database=_DATABASE, collection=collection, snapshot_chunk=4, snapshot_readers=1
        )

    def source(self, *, bounded: bool) -> Source:
        return MongoSource(self.config(self.collection), self.context(bounded=bounded))

    def elsewhere(self) -> Source:
        return MongoSource(self.config("elsewhere"), self.context(bounded=True))

    def context(self, *, bounded: bool) -> ComponentContext:
        return ComponentContext("conformance", "mongodb", bounded=bounded)

    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        return await self._insert(values)

    async def _insert(self, values: Sequence[bytes]) -> Sequence[bytes]:
        documents = [{"_id": self.count + at, **json.loads(value)} for at, value in enumerate(values)]
        self.count += len(documents)
        if documents:
            async with self.server.client() as client:
                await client[_DATABASE][self.collection].insert_many(documents)
        return [json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() for each in documents]


class MongoChanges(MongoSnapshot):
    """The same documents as changes, seen by a source that begins before the first of them."""

    start: Position

    async def begin(self) -> None:
        async with self.server.client() as client:
            offset, token = await now(client, Watched(self.config(self.collection)))
        self.start = MongoPosition(pack_token(token), offset).encode()

    def source(self, *, bounded: bool) -> Source:
        return _FromBeginning(self.config(self.collection), self.context(bounded=bounded), self.start)


class _FromBeginning(MongoSource):
    def __init__(self, config: MongoSourceConfig, context: ComponentContext, start: Position) -> None:
        super().__init__(config, context)
        self.start = start

    async def open(self, partition: PartitionId, resume: Position | None) -> Reader:  # type: ignore[override]
        return await super().open(partition, resume or self.start)


MONGODB_SOURCES = (MongoSnapshot, MongoChanges)
