from __future__ import annotations

from typing import Any

import pytest

from wire.core.config import parse
from wire.core.errors import Finding
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.watched import Watched


def parsed(**fields: Any) -> tuple[MongoSourceConfig | None, list[Finding]]:
    findings: list[Finding] = []
    return parse(MongoSourceConfig, {"uri": "mongodb://localhost", **fields}, "$", findings), findings


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"collection": "orders"}, "$.database"),
        ({"database": "shop", "collection": "a", "collections": ["b"]}, "$.collection"),
        ({"database": "shop", "collections": []}, "$.collections"),
        ({"database": "shop", "collections": ["a", "a"]}, "$.collections"),
        ({"database": "shop.orders"}, "$.database"),
        ({"database": "shop", "operations": []}, "$.operations"),
        ({"database": "shop", "operations": ["upsert"]}, "$.operations[0]"),
        ({"database": "shop", "full_document": "default"}, "$.full_document"),
        ({"database": "shop", "pipeline": [{"$group": {}}]}, "$.pipeline"),
        ({"database": "shop", "pipeline": [{"$match": {}, "$set": {}}]}, "$.pipeline"),
        ({"database": "shop", "snapshot_readers": 0}, "$.snapshot_readers"),
    ],
)
def test_a_mistake_is_found_where_it_is(fields: dict[str, Any], where: str) -> None:
    _, findings = parsed(**fields)
    assert [finding.path for finding in findings] == [where]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"database": "shop", "collection": "orders"}, "shop.orders"),
        ({"database": "shop", "collections": ["orders"]}, "shop.orders"),
        ({"database": "shop", "collections": ["users", "orders"]}, "shop.{orders,users}"),
        ({"database": "shop"}, "shop.*"),
        ({}, "*"),
    ],
)
def test_the_partition_is_named_after_what_is_read(fields: dict[str, Any], name: str) -> None:
    config, _ = parsed(**fields)
    assert config is not None
    assert Watched(config).id == name


def test_without_a_filter_the_server_is_given_none() -> None:
    config, _ = parsed(database="shop", collection="orders")
    assert config is not None
    stages = Watched(config).stream_pipeline({"startAfter": {"_data": "82"}}, split=False)
    assert stages == [{"$changeStream": {"startAfter": {"_data": "82"}, "fullDocument": "updateLookup"}}]


def test_the_end_of_a_collection_is_heard_of_whatever_operations_are_read() -> None:
    config, _ = parsed(database="shop", collections=["orders", "users"], operations=["delete"])
    assert config is not None
    _, selection = Watched(config).stream_pipeline({}, split=False)
    changes, gone = selection["$match"]["$or"]
    ours = {"$in": ["orders", "users"]}
    assert changes["$or"][0] == {"operationType": {"$in": ["delete", "invalidate"]}, "ns.coll": ours}
    assert {"operationType": {"$in": ["drop", "dropDatabase", "rename"]}, "ns.coll": ours} in gone["$or"]
    assert {"operationType": "dropDatabase"} in gone["$or"]
