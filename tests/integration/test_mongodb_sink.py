"""The MongoDB sink against a real server: types, order per id, verdicts."""

from __future__ import annotations

import gc
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import bson
import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

from tests.integration.mongodb_sink_kit import batch, codes, documents, record, writer_to
from tests.services.mongodb_client import Database, MongoDB
from wire.clients.mongodb_json import CODECS, encoder, key_of
from wire.core.records import Batch

# pymongo leaves a socket open, for the collector to close, when a client is closed while one of its monitors connects
pytestmark = [pytest.mark.mongodb, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]
DEADLINE_S = 120.0


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Have the collector find such a socket where it is expected, and not in some later test."""
    yield
    gc.collect()


@pytest.fixture
async def database(mongodb: MongoDB) -> AsyncIterator[Database]:
    async with mongodb.database() as database:
        yield database


EVERYTHING = {
    "oid": ObjectId(),
    "text": "naïve 🙂",
    "int": 5,
    "long": Int64(1 << 40),
    "small_long": Int64(5),
    "double": 1.5,
    "whole_double": 2.0,
    "nan": float("nan"),
    "infinite": float("-inf"),
    "bool": True,
    "null": None,
    "date": DatetimeMS(1714557600123),
    "early": DatetimeMS(-62135596800001),
    "late": DatetimeMS(253402300800000),
    "decimal": Decimal128("1.10"),
    "binary": b"\x00\xff",
    "uuid": Binary(bytes(range(16)), 4),
    "md5": Binary(bytes(16), 5),
    "regex": Regex("^a.*$", "im"),
    "code": Code("return 1"),
    "scoped": Code("return x", {"x": ObjectId()}),
    "stamp": Timestamp(1714557600, 7),
    "min": MinKey(),
    "max": MaxKey(),
    "list": [1, {"deep": [ObjectId(), DatetimeMS(0)]}, []],
    "empty": {},
    "dotted.name": {"a.b": 1},
}
IDS = [
    ObjectId(),
    "plain",
    "42",
    "5f1d7f3a0000000000000001",
    42,
    Int64(1 << 40),
    1.5,
    True,
    Decimal128("2.5"),
    DatetimeMS(1714557600123),
    Binary(bytes(range(16)), 4),
    b"\x00",
    {"a": 1, "b": {"c": ObjectId()}},
    None,
    "",
    "{not json",
]


async def test_every_type_arrives_as_it_was_through_canonical_extended_json(
    mongodb: MongoDB, database: Database
) -> None:
    original = bson.encode({"_id": 1, **EVERYTHING})
    value = encoder("canonical")(bson.decode(original, CODECS["canonical"]))
    async with writer_to(mongodb.uri, database.name) as writer:
        assert not await writer.write([batch(record(value, b"1"))])
    assert await raw(database) == original


async def test_every_type_but_that_of_integers_arrives_through_relaxed_extended_json(
    mongodb: MongoDB, database: Database
) -> None:
    value = encoder("relaxed")(bson.decode(bson.encode({"_id": 1, **EVERYTHING}), CODECS["relaxed"]))
    async with writer_to(mongodb.uri, database.name) as writer:
        assert not await writer.write([batch(record(value, b"1"))])
    assert await raw(database) == bson.encode({"_id": 1, **EVERYTHING, "small_long": 5})


async def raw(database: Database) -> bytes:
    found = await database["docs"].find_raw_batches().to_list()
    return b"".join(found)


async def test_ids_of_every_type_are_found_again_by_the_keys_the_source_makes_of_them(
    mongodb: MongoDB, database: Database
) -> None:
    await database["docs"].insert_many([{"_id": identity, "old": True} for identity in IDS])
    async with writer_to(mongodb.uri, database.name) as writer:
        assert not await writer.write([batch(*(record({"new": 1}, key_of(identity)) for identity in IDS))])
        assert await database["docs"].count_documents({}) == len(IDS)
        assert await database["docs"].count_documents({"old": True}) == 0
        assert not await writer.write([batch(*(record(None, key_of(identity)) for identity in IDS))])
    assert await database["docs"].count_documents({}) == 0


async def test_records_of_one_id_are_written_in_order_however_they_are_batched(
    mongodb: MongoDB, database: Database
) -> None:
    rng = random.Random(4)
    expected: dict[Any, dict[str, Any]] = {}
    async with writer_to(mongodb.uri, database.name, op={"expr": "x"}) as writer:
        for _ in range(20):
            batches = [some_operations(rng, expected) for _ in range(rng.randrange(1, 4))]
            assert not await writer.write(batches)
            assert await documents(database) == expected


def some_operations(rng: random.Random, state: dict[Any, dict[str, Any]]) -> Batch:
    """Operations on few ids, and the same applied to `state`, one after the other."""
    records, ops = [], []
    for _ in range(rng.choice((1, 5, 300))):
        key, field, value = f"k{rng.randrange(12)}", rng.choice("abc"), rng.randrange(1000)
        op = rng.choice(("replace", "merge", "insert", "delete", "tombstone"))
        records.append(record(None if op == "tombstone" else {field: value}, key.encode()))
        ops.append("replace" if op == "tombstone" else op)
        if op in ("delete", "tombstone"):
            state.pop(key, None)
        elif op == "merge":
            state.setdefault(key, {})[field] = value
        elif op == "replace" or key not in state:
            state[key] = {field: value}
    return batch(*records, op=ops)


async def test_a_replay_of_inserts_leaves_what_is_there_and_fails_nothing(mongodb: MongoDB, database: Database) -> None:
    async with writer_to(mongodb.uri, database.name, op="insert") as writer:
        for value in (1, 2):
            assert not await writer.write([batch(*(record({"n": value}, b"k%d" % i) for i in range(300)))])
        assert writer.counts == {"replayed": 300, "superseded": 0}
    assert set(map(str, (await documents(database)).values())) == {"{'n': 1}"}


async def test_what_a_later_record_of_a_write_makes_void_is_counted(mongodb: MongoDB, database: Database) -> None:
    async with writer_to(mongodb.uri, database.name) as writer:
        assert not await writer.write([batch(*(record({"n": i}, b"k%d" % (i % 3)) for i in range(300)))])
        assert writer.counts == {"replayed": 0, "superseded": 297}
    assert await documents(database) == {f"k{i}": {"n": 297 + i} for i in range(3)}


async def test_records_without_key_and_id_are_written_once_however_often_they_come(
    mongodb: MongoDB, database: Database
) -> None:
    async with writer_to(mongodb.uri, database.name) as writer:
        for _ in range(2):
            assert not await writer.write([batch(*(record({"n": i}, offset=i) for i in range(5)))])
    assert await documents(database) == {f"kafka/t/0/{i}": {"n": i} for i in range(5)}


async def test_merging_sets_fields_by_their_very_names_and_computes_nothing(
    mongodb: MongoDB, database: Database
) -> None:
    await database["docs"].insert_one({"_id": "k", "a": {"b": 1}, "kept": True})
    async with writer_to(mongodb.uri, database.name, op="merge") as writer:
        assert not await writer.write([batch(record({"a.b": "$kept", "x": {"y": "$$ROOT"}}, b"k"))])
    assert await documents(database) == {"k": {"a": {"b": 1}, "kept": True, "a.b": "$kept", "x": {"y": "$$ROOT"}}}


async def test_what_looks_like_a_condition_as_an_id_matches_nothing_else(mongodb: MongoDB, database: Database) -> None:
    await database["docs"].insert_many([{"_id": "one"}, {"_id": "two"}])
    keys = [b'{"$gt":""}', b'{"$ne":null}', b'{"$regularExpression":{"pattern":".","options":""}}']
    async with writer_to(mongodb.uri, database.name) as writer:
        await writer.write([batch(*(record(None, key) for key in keys))])
        failures = await writer.write([batch(*(record({"n": 1}, key) for key in keys))])
    assert set(codes(failures)) == {(number, "sink.mongodb.record_refused") for number in range(3)}
    assert await documents(database) == {"one": {}, "two": {}}


async def test_refused_records_are_named_and_all_others_written(mongodb: MongoDB, database: Database) -> None:
    await database.create_collection("docs", validator={"n": {"$lt": 1000}})
    await database["docs"].create_index("u", unique=True, sparse=True)
    deep = b'{"d":' * 300 + b"1" + b"}" * 300
    bad = {
        3: record({"n": 5000}, b"bad3"),
        150: record({"n": 1, "u": 0}, b"bad150"),
        200: record(deep, b"bad200"),
        201: record(b'{"n":1,"a":"%b"}' % (b"x" * (16 << 20)), b"bad201"),
        250: record([1], b"bad250"),
    }
    records = [bad.get(i) or record({"n": i, **({"u": 0} if i == 0 else {})}, b"k%d" % i) for i in range(300)]
    async with writer_to(mongodb.uri, database.name) as writer:
        failures = await writer.write([batch(record({"n": -1}, b"first")), batch(*records)])
    assert {failure.batch for failure in failures} == {1}
    assert codes(failures) == [
        (3, "sink.mongodb.record_refused"),
        (150, "sink.mongodb.duplicate"),
        (200, "sink.mongodb.record_refused"),
        (201, "sink.mongodb.record_too_large"),
        (250, "sink.mongodb.not_a_document"),
    ]
    assert set(await documents(database)) == {"first", *(f"k{i}" for i in range(300) if i not in bad)}


async def test_a_refused_replacement_leaves_what_came_before_it(mongodb: MongoDB, database: Database) -> None:
    await database.create_collection("docs", validator={"n": {"$lt": 1000}})
    async with writer_to(mongodb.uri, database.name) as writer:
        failures = await writer.write(
            [batch(record({"n": 1}, b"k"), record({"n": 2}, b"k"), record({"n": 5000}, b"k"))]
        )
    assert codes(failures) == [(2, "sink.mongodb.record_refused")]
    assert await documents(database) == {"k": {"n": 2}}


async def test_the_largest_document_fits(mongodb: MongoDB, database: Database) -> None:
    empty = len(bson.encode({"_id": "k", "a": ""}))
    largest = b'{"a":"%b"}' % (b"x" * ((16 << 20) - empty))
    async with writer_to(mongodb.uri, database.name, op={"expr": "x"}) as writer:
        for op in ("replace", "merge", "insert"):
            assert not await writer.write([batch(record(largest, b"k"), op=[op])])
        failures = await writer.write([batch(record({"more": "x" * 100}, b"k"), op=["merge"])])
    assert codes(failures) == [(0, "sink.mongodb.record_too_large")]


async def test_collections_by_record(mongodb: MongoDB, database: Database) -> None:
    async with writer_to(mongodb.uri, database.name, collection={"expr": "x"}, max_collections=3) as writer:
        records = [record({"n": i}, b"k%d" % i) for i in range(6)]
        names = ["a", "b", "a", None, "c", "d"]
        failures = await writer.write([batch(*records, collection=names)])
    assert codes(failures) == [(3, "sink.mongodb.collection_refused"), (5, "sink.mongodb.too_many_collections")]
    assert sorted(await database.list_collection_names()) == ["a", "b", "c"]
    assert await documents(database, "a") == {"k0": {"n": 0}, "k2": {"n": 2}}
