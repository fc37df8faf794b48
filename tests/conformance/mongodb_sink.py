"""Harness of the `mongodb` sink: collections of a real server."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from pymongo import MongoClient

from tests.services.mongodb_client import MongoDB
from wire.core.config import ByRecord, Expression, Secret
from wire.core.ports import Sink
from wire.core.records import Batch
from wire.sinks.mongodb import MongoSinkConfig
from wire.sinks.mongodb.sink import MongoSink
from wire.testing.harness import RefusingSinkHarness


class Mongo(RefusingSinkHarness):
    """One document per record, found again by the id of its record."""

    seeds = range(3)
    deadline_s = 100

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.server: MongoDB = request.getfixturevalue("mongodb")
        self.database = f"t_{uuid4().hex[:12]}"
        request.addfinalizer(self.drop)

    def drop(self) -> None:
        with MongoClient[Any](self.server.uri) as client:
            client.drop_database(self.database)

    def sink(self) -> Sink:
        return self.sink_of(collection="docs", id=Expression("id"))

    def sink_of(self, **config: Any) -> Sink:
        return MongoSink(MongoSinkConfig(uri=Secret(self.server.uri), database=self.database, **config))

    def prepare(self, batch: Batch) -> Batch:
        batch.columns = {"id": [f"{batch.partition}/{record.offset}" for record in batch.records]}
        return batch

    async def read_back(self) -> Sequence[bytes]:
        """Return the values in the order of their records: what order a collection has is nobody's promise."""
        async with self.server.client() as client:
            found: list[Any] = []
            for name in await client[self.database].list_collection_names():
                found += await client[self.database][name].find().to_list()
        found.sort(key=lambda document: int(document.pop("_id").rpartition("/")[2]))
        return [self.encoded(document) for document in found]

    def value(self, document: bytes) -> bytes:
        return self.encoded(msgspec.json.decode(document))

    def encoded(self, document: Any) -> bytes:
        return msgspec.json.encode(document)

    def refused(self) -> bytes:
        return b'{"n": 0, "at": {"$date": "no date"}}'


class MongoByRecord(Mongo):
    """Computed collections and operations; ids that name the record, for records without key."""

    def sink(self) -> Sink:
        expression = ByRecord(expr=Expression("x"))
        return self.sink_of(collection=expression, op=expression)

    def prepare(self, batch: Batch) -> Batch:
        digest = zlib.crc32(batch.partition.encode())
        ops = ("replace", "merge", "insert")
        count = len(batch.records)
        batch.columns = {"collection": [f"docs{digest % 2}"] * count, "op": [ops[digest % 3]] * count}
        batch.records = [msgspec.structs.replace(record, key=None) for record in batch.records]
        return batch


MONGODB_SINKS = (Mongo, MongoByRecord)
