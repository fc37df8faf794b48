"""What tells the records of the mongodb source apart: those of a snapshot, and of a transaction, share an offset."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId, Timestamp

from wire.core.config import Secret
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.records import Shape

OID = ObjectId("66320f5c1f77bcf86cd79943")


def shape(**config: Any) -> Shape:
    return Shape(MongoSourceConfig(uri=Secret("mongodb://h/"), database="d", **config))


def ids(records: list[Any]) -> list[tuple[int, int]]:
    return [(record.offset, record.ordinal) for record in records]


@pytest.mark.parametrize("value", ["document", "event"])
def test_documents_of_a_snapshot_share_their_offset_and_differ_in_their_ordinal(value: str) -> None:
    def documents() -> list[dict[str, Any]]:
        return [{"_id": each} for each in (OID, str(OID), 1, "1", ObjectId(b"\xff" * 12), {"a": 1})]

    first = ids(shape(value=value).snapshot(documents(), "d.c", 7))
    assert {offset for offset, _ in first} == {7}
    assert len(set(first)) == len(documents())
    assert ids(shape(value=value).snapshot(documents(), "d.c", 7)) == first
    assert not set(ids(shape(value=value).snapshot(documents(), "d.other", 7))) & set(first)


def event(token: str) -> dict[str, Any]:
    return {
        "_id": {"_data": token},
        "operationType": "insert",
        "ns": {"db": "d", "coll": "c"},
        "clusterTime": Timestamp(5, 1),
        "documentKey": {"_id": 1},
        "fullDocument": {"_id": 1},
    }


@pytest.mark.parametrize("value", ["document", "event"])
def test_changes_of_one_document_within_a_transaction_differ_in_their_ordinal(value: str) -> None:
    made = [shape(value=value).change(event(token)) for token in ("82A1", "82A2", "82A1")]
    first, second, again = ids(made)
    assert first == again
    assert first != second
    assert first[0] == second[0]
