"""From records to operations: ids, documents in BSON, and what can't be either."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import bson
import pytest
from bson import CodecOptions, DatetimeMS, Decimal128, Int64, ObjectId
from bson.codec_options import DatetimeConversion

from wire.core.config import ByRecord, Expression, Secret
from wire.core.errors import RecordError
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.mongodb import MongoSinkConfig
from wire.sinks.mongodb.chains import Chain, Operation
from wire.sinks.mongodb.operations import Planner

OID = ObjectId("5f1d7f3a0000000000000001")
EXPR = ByRecord(expr=Expression("x"))


def planner(max_document: int = 1 << 24, **config: Any) -> Planner:
    config = {"collection": "c", **config}
    return Planner(MongoSinkConfig(uri=Secret("mongodb://h"), database="d", **config), max_document)


def record(value: bytes | None, key: bytes | None = b"k", offset: int = 7, ordinal: int = 0) -> Record:
    return Record(value, key, 0, (), offset, ordinal)


def batch(*records: Record, **columns: list[Any]) -> Batch:
    return Batch(PartitionId("t/0"), Position(b""), list(records), columns=columns or None, source="kafka")


def operations(chains: list[Chain]) -> list[Operation]:
    found = []
    for chain in chains:
        while chain:
            found.append(chain.next())
            chain.done()
    return sorted(found, key=lambda operation: operation.place)


def planned(plan: Planner, *batches: Batch) -> list[Operation]:
    chains, misfits = plan.plan(batches)
    assert not misfits, misfits
    return operations(chains)


def refusal(plan: Planner, what: Batch) -> RecordError:
    chains, misfits = plan.plan([what])
    assert not chains
    ((place, error),) = misfits
    assert place == 0
    return error


def document(operation: Operation) -> dict[str, Any]:
    assert operation.document is not None
    return bson.decode(operation.document)


@pytest.mark.parametrize(
    ("key", "identity"),
    [
        (b"plain", "plain"),
        (b"5f1d7f3a0000000000000001", OID),
        (b'{"$oid":"5f1d7f3a0000000000000001"}', OID),
        (b"42", 42),
        (b'"42"', "42"),
        (b'{"a":1}', {"a": 1}),
    ],
)
def test_the_key_is_the_id(key: bytes, identity: Any) -> None:
    (operation,) = planned(planner(), batch(record(b'{"_id":"another","n":1}', key)))
    assert operation.id == identity
    assert type(operation.id) is type(identity)
    assert document(operation) == {"_id": identity, "n": 1}


def test_without_key_the_value_says_the_id_or_else_the_place_of_the_record_does() -> None:
    found = planned(planner(), batch(record(b'{"_id":{"$oid":"%b"}}' % str(OID).encode(), None), record(b"{}", None)))
    assert [operation.id for operation in found] == [OID, "kafka/t/0/7"]
    (exploded,) = planned(planner(), batch(record(b"{}", None, ordinal=2)))
    assert exploded.id == "kafka/t/0/7/2"


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        ("42", "42"),
        ("5f1d7f3a0000000000000001", "5f1d7f3a0000000000000001"),
        ({"$oid": str(OID)}, OID),
        (42, 42),
        (datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 1)),
        (datetime.date(2024, 5, 1), datetime.datetime(2024, 5, 1)),
        (decimal.Decimal("1.5"), Decimal128("1.5")),
        (datetime.time(1, 2), "01:02:00"),
    ],
)
def test_an_expressions_value_is_the_id_as_it_is(value: Any, identity: Any) -> None:
    (operation,) = planned(planner(id=Expression("x")), batch(record(b"{}"), id=[value]))
    assert operation.id == identity


@pytest.mark.parametrize("value", [None, 1 << 70, {"$oid": "zz"}])
def test_what_is_no_id_is_refused(value: Any) -> None:
    assert refusal(planner(id=Expression("x")), batch(record(b"{}"), id=[value])).code == "sink.mongodb.no_id"


@pytest.mark.parametrize("key", [b"\xff", b'{"$oid":"zz"}', b"9" * 40, None])
def test_a_deletion_whose_key_is_no_id_is_refused(key: bytes | None) -> None:
    assert refusal(planner(), batch(record(None, key))).code == "sink.mongodb.no_id"


def test_extended_json_becomes_the_types_it_stands_for() -> None:
    value = (
        b'{"o":{"$oid":"5f1d7f3a0000000000000001"},"d":{"$date":"2024-05-01T10:00:00.123Z"},'
        b'"old":{"$date":{"$numberLong":"-99999999999999"}},"l":{"$numberLong":"5"},"x":{"$numberDouble":"NaN"},'
        b'"in":[{"deep":{"$numberDecimal":"1.50"}}],"plain":1.0}'
    )
    (operation,) = planned(planner(), batch(record(value)))
    found = bson.decode(operation.document or b"", CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO))
    assert found["o"] == OID
    assert found["d"] == datetime.datetime(2024, 5, 1, 10, 0, 0, 123000)
    assert type(found["l"]) is Int64
    assert found["x"] != found["x"]
    assert found["in"] == [{"deep": Decimal128("1.50")}]
    assert type(found["plain"]) is float
    assert found["old"] == DatetimeMS(-99999999999999)


@pytest.mark.parametrize(
    "value",
    [
        b"[1]",
        b"1",
        b"{",
        b"",
        b'{"$oid":"5f1d7f3a0000000000000001"}',
        b'{"d":{"$date":"yesterday"}}',
        b'{"n":%b}' % (b"9" * 30),
        b'{"a\\u0000b":1}',
        b'{"d":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"d":' + b'{"$x":' * 5000 + b"1" + b"}" * 5000 + b"}",
    ],
)
def test_what_is_no_document_is_refused(value: bytes) -> None:
    assert refusal(planner(), batch(record(value))).code == "sink.mongodb.not_a_document"


def test_a_document_that_is_too_large_is_refused_by_its_size_in_bson() -> None:
    assert refusal(planner(100), batch(record(b'{"a":"%b"}' % (b"x" * 100)))).code == "sink.mongodb.record_too_large"


def test_records_without_value_delete_whatever_the_operation_is() -> None:
    found = planned(planner(op=EXPR), batch(record(None, b"a"), record(b"{}", b"b"), op=["merge", "delete"]))
    assert [(operation.op, operation.document) for operation in found] == [("delete", None), ("delete", None)]


def test_an_operation_that_is_none_is_refused() -> None:
    assert refusal(planner(op=EXPR), batch(record(b"{}"), op=["upsert"])).code == "sink.mongodb.unknown_op"


@pytest.mark.parametrize("name", [None, "", 7, "a$b", "system.users", "a..b", ".a", "a.", "a\0b", "x" * 300])
def test_what_is_no_collection_is_refused(name: object) -> None:
    error = refusal(planner(collection=EXPR), batch(record(b"{}"), collection=[name]))
    assert error.code == "sink.mongodb.collection_refused"


def test_no_more_collections_are_written_to_than_allowed() -> None:
    plan = planner(collection=EXPR, max_collections=2)
    assert len(planned(plan, batch(record(b"{}"), record(b"{}"), collection=["a", "b"]))) == 2
    error = refusal(plan, batch(record(b"{}"), collection=["c"]))
    assert error.code == "sink.mongodb.too_many_collections"
    assert len(planned(plan, batch(record(b"{}"), collection=["a"]))) == 1


def test_ids_that_mongodb_takes_for_one_are_one_chain() -> None:
    ids = [1, 1.0, Decimal128("1.0"), Int64(1), True, "1", {"a": 1}, {"a": 1}, float("nan"), float("nan")]
    chains, misfits = planner(id=Expression("x"), op="merge").plan([batch(*(record(b"{}") for _ in ids), id=list(ids))])
    assert not misfits
    assert sorted(len(operations([chain])) for chain in chains) == [1, 1, 2, 2, 4]


def test_one_id_in_two_collections_is_two_chains() -> None:
    chains, _ = planner(collection=EXPR).plan([batch(record(b"{}"), record(b"{}"), collection=["a", "b"])])
    assert len(chains) == 2


def test_places_go_on_over_batches() -> None:
    found = planned(planner(), batch(record(b"{}", b"a"), record(b"{}", b"b")), batch(record(b"{}", b"c")))
    assert [operation.place for operation in found] == [0, 1, 2]
