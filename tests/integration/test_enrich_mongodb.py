"""Enriching from a collection of a real MongoDB."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson import ObjectId

from tests.services.mongodb_client import MongoDB
from tests.unit.pipelines.transforms.kit import batch, codes, stage, written
from wire.core.errors import FatalError, RetryableError
from wire.pipelines.stage import StageResult

pytestmark = pytest.mark.mongodb

OID = "65f0a1b2c3d4e5f601234567"


async def enriched(uri: str, database: str, *rows: Any, **config: Any) -> StageResult:
    base = {"type": "mongodb", "uri": uri, "database": database, "collection": "customers", "key": "id"}
    compiled = stage({"enrich": {**base, "select": "name", **config}})
    try:
        return await compiled.run_waiting(batch(*(json.dumps(row).encode() for row in rows)))
    finally:
        await compiled.close()


async def test_documents_are_found_by_ids_of_any_kind(mongodb: MongoDB) -> None:
    async with mongodb.database() as database:
        ids: list[Any] = [1, 2.0, "1", ObjectId(OID)]
        await database.customers.insert_many([{"_id": each, "name": f"n{i}"} for i, each in enumerate(ids)])
        rows = [{"id": each} for each in (1, 2, "1", {"$oid": OID}, OID, 3, None)]
        result = await enriched(mongodb.uri, database.name, *rows, max_keys=2)
    assert [row["name"] for row in written(result)] == ["n0", "n1", "n2", "n3", None, None, None]


async def test_documents_are_found_by_nested_fields_and_read_as_extended_json(mongodb: MongoDB) -> None:
    async with mongodb.database() as database:
        await database.customers.insert_one({"_id": ObjectId(OID), "ref": {"no": "a"}, "tags": ["x"]})
        config = {"column": "ref.no", "select": "_id AS customer, tags", "missing": "drop"}
        result = await enriched(mongodb.uri, database.name, {"id": "a"}, {"id": "b"}, **config)
    assert written(result) == [{"id": "a", "customer": {"$oid": OID}, "tags": ["x"]}]
    assert result.filtered == 1


async def test_a_server_that_is_away_is_left_to_the_engine_or_concerns_only_the_records(mongodb: MongoDB) -> None:
    away = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"
    with pytest.raises(RetryableError, match=r"transform\.enrich\.unreachable"):
        await enriched(away, "shop", {"id": 1}, retries=0, timeout="500ms")
    result = await enriched(away, "shop", {"id": 1}, retries=0, timeout="500ms", on_failure="dead_letter")
    assert codes(result) == [(0, "transform.enrich.unreachable")]


async def test_a_query_the_server_refuses_stops_the_pipeline(mongodb: MongoDB) -> None:
    with pytest.raises(FatalError, match=r"transform\.enrich\.refused") as caught:
        await enriched(mongodb.uri, "shop", {"id": 1}, column="$where")
    assert caught.value.path == "$.transforms[0]"
