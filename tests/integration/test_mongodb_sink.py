"""The MongoDB sink against a real server: types, order per id, verdicts, outages."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import bson
import msgspec
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
from pymongo import WriteConcern

from tests.services.mongodb import MongoReplicaSet
from tests.services.mongodb_client import Database, MongoDB
from tests.services.mongodb_secure import SecureMongoDB
from wire.clients.mongodb_json import CODECS, encoder, key_of
from wire.core.config import parse
from wire.core.errors import Finding, RecordError, RetryableError, UnavailableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Failure, TaskId, Writer
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.mongodb import PLUGIN

# pymongo leaves a socket open, for the collector to close, when a client is closed while one of its monitors connects
pytestmark = [pytest.mark.mongodb, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]
DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Have the collector find such a socket where it is expected, and not in some later test."""
    yield
    gc.collect()


@asynccontextmanager
async def writer_to(uri: str, database: str, **config: Any) -> AsyncIterator[Writer]:
    """An open writer with this configuration, given as YAML gives it."""
    findings: list[Finding] = []
    given = {"uri": uri, "database": database, "collection": "docs", **config}
    parsed = parse(PLUGIN.config, given, "$", findings)
    assert not findings, findings
    sink = PLUGIN.build(parsed, ComponentContext("test", "mongodb"))
    writer: Writer = await sink.open(TaskId("default/test"), 1, {})
    try:
        yield writer
    finally:
        await writer.close()


@pytest.fixture
async def database(mongodb: MongoDB) -> AsyncIterator[Database]:
    async with mongodb.database() as database:
        yield database


def record(value: Any, key: bytes | None = None, offset: int = 0) -> Record:
    encoded = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
    return Record(encoded, key, 0, (), offset)


def batch(*records: Record, **columns: list[Any]) -> Batch:
    return Batch(PartitionId("t/0"), Position(b""), list(records), columns=columns or None, source="kafka")


async def documents(database: Database, collection: str = "docs") -> dict[Any, dict[str, Any]]:
    return {document.pop("_id"): document for document in await database[collection].find().to_list()}


def codes(failures: Sequence[Failure]) -> list[tuple[int, str]]:
    assert all(isinstance(failure.error, RecordError) for failure in failures)
    return [(failure.record, failure.error.code) for failure in failures]


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


async def test_a_view_stops_the_pipeline_with_a_clear_error(mongodb: MongoDB, database: Database) -> None:
    await database.command("create", "docs", viewOn="others", pipeline=[])
    async with writer_to(mongodb.uri, database.name) as writer:
        with pytest.raises(UnavailableError, match="is a view") as caught:
            await writer.write([batch(record({}, b"k"))])
    assert caught.value.code == "sink.mongodb.rejected"


async def test_without_the_right_to_write_the_pipeline_stops(mongodb_secure: SecureMongoDB) -> None:
    tls = {"ca": str(mongodb_secure.ca_file), "verify": "chain"}
    auth = {"username": mongodb_secure.guest, "password": mongodb_secure.guest_password}
    async with writer_to(mongodb_secure.uri, "t_guests", tls=tls, auth=auth) as writer:
        with pytest.raises(UnavailableError) as caught:
            await writer.write([batch(record({}, b"k"))])
    assert caught.value.code == "sink.mongodb.authorization"
    with pytest.raises(UnavailableError) as caught:
        async with writer_to(mongodb_secure.uri, "t", tls=tls, auth=auth | {"password": "wrong-secret"}):
            pass
    assert caught.value.code == "sink.mongodb.authentication"
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_told_within_seconds() -> None:
    async with asyncio.timeout(15):
        with pytest.raises(UnavailableError) as caught:
            async with writer_to("mongodb://127.0.0.1:9/", "t"):
                pass
    assert caught.value.code == "sink.mongodb.unreachable"
    assert caught.value.hint


async def test_an_outage_is_survived(own_mongodb: MongoReplicaSet) -> None:
    async with own_mongodb.database() as database, writer_to(own_mongodb.uri, database.name) as writer:
        assert not await writer.write([batch(record({"n": 1}, b"a"))])
        own_mongodb.members[0].kill()
        with pytest.raises(RetryableError) as caught:
            await writer.write([batch(record({"n": 2}, b"b"))])
        assert caught.value.code == "sink.mongodb.unreachable"
        await own_mongodb.start()
        await insisted(writer, [batch(record({"n": 2}, b"b"))])
        assert await documents(database) == {"a": {"n": 1}, "b": {"n": 2}}


async def test_nothing_that_was_acknowledged_is_lost_when_primaries_step_down_and_die(
    mongodb_cluster: MongoReplicaSet,
) -> None:
    expected: dict[Any, dict[str, Any]] = {}
    numbers = itertools.count()
    async with mongodb_cluster.database() as database, writer_to(mongodb_cluster.uri, database.name) as writer:

        async def write(times: int) -> None:
            for _ in range(times):
                n = next(numbers)
                await insisted(writer, [batch(*(record({"n": n}, b"k%d" % i) for i in range(n % 5, 200, 5)))])
                expected.update({f"k{i}": {"n": n} for i in range(n % 5, 200, 5)})

        async def write_during(trouble: Callable[[], Awaitable[None]]) -> None:
            """Write all the time, before, during and after some trouble."""
            async with asyncio.TaskGroup() as group:
                await write(20)
                task = group.create_task(trouble())
                while not task.done():
                    await write(1)
            await write(20)

        async def kill() -> None:
            (await mongodb_cluster.primary()).kill()
            await mongodb_cluster.primary()

        await write_during(mongodb_cluster.step_down)
        await write_during(kill)
        majority = database.with_options(write_concern=WriteConcern("majority"))
        assert await documents(majority) == expected


async def insisted(writer: Writer, batches: Sequence[Batch]) -> None:
    """Write until it is written, as the engine does."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                assert not await writer.write(batches)
                return
            except RetryableError:
                await asyncio.sleep(0.05)


async def test_what_is_not_on_a_majority_is_not_written(mongodb_cluster: MongoReplicaSet) -> None:
    async with mongodb_cluster.database() as database, writer_to(mongodb_cluster.uri, database.name) as writer:
        await insisted(writer, [batch(record({"n": 1}, b"k"))])
        primary = await mongodb_cluster.primary()
        others = [member for member in mongodb_cluster.members if member is not primary]
        for member in others:
            member.pause()
        try:
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(RetryableError) as caught:
                    await writer.write([batch(record({"n": 2}, b"k"))])
        finally:
            for member in others:
                member.resume()
        assert caught.value.code == "sink.mongodb.unreachable"
        await insisted(writer, [batch(record({"n": 2}, b"k"))])
        assert await documents(database) == {"k": {"n": 2}}
