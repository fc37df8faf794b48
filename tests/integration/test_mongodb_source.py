"""What the `mongodb` source gives for what is done to real collections."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bson import Decimal128, ObjectId

from tests.integration.mongodb_source_kit import (
    documents_of,
    header,
    opened,
    read_all,
    read_count,
    read_until,
    records_of,
)
from tests.services.mongodb_client import Database, MongoDB
from tests.services.mongodb_router import router_before
from wire.clients.mongodb_json import id_of
from wire.core.ports import ReadLimit
from wire.core.records import Record

pytestmark = pytest.mark.mongodb


async def test_every_kind_of_change_is_a_record_with_the_id_as_its_key(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        orders = await db.create_collection("orders")
        async with opened(mongodb.uri, database=db.name, collection="orders") as reader:
            await reader.read(ReadLimit(10, 1 << 25))
            await orders.insert_one({"_id": "a", "n": 1})
            await orders.update_one({"_id": "a"}, {"$set": {"n": 2}})
            await orders.replace_one({"_id": "a"}, {"n": 3})
            await orders.delete_one({"_id": "a"})
            found, _ = await read_until(reader, _ends_with(b"delete"))
    # the document of the update is looked up, and by then it is gone: the delete says so
    assert [header(record, "mongodb.op") for record in found] == [b"insert", b"replace", b"delete"]
    assert {record.key for record in found} == {b"a"}
    assert found[-1].value is None
    assert header(found[-1], "mongodb.ns") == f"{db.name}.orders".encode()
    offsets = [record.offset for record in found]
    assert offsets == sorted(offsets)
    assert all(record.ts_ms // 1000 - (record.offset >> 32) in (-1, 0, 1) for record in found)


async def test_the_snapshot_in_parallel_chunks_has_every_document_once_whatever_its_ids_type(mongodb: MongoDB) -> None:
    ids = [*range(40), *(f"s{n}" for n in range(40)), *(ObjectId() for _ in range(40)), 1.5, {"a": 1, "b": "x"}, None]
    async with mongodb.database() as db:
        await db.mixed.insert_many([{"_id": each} for each in ids])
        batches = await read_all(
            mongodb.uri, database=db.name, collection="mixed", snapshot_chunk=7, snapshot_readers=3
        )
    records = records_of(batches)
    assert len(records) == len(ids)
    assert {repr(id_of(record.key or b"")) for record in records} == {repr(each) for each in ids}


async def test_a_restart_within_the_snapshot_repeats_nothing_that_a_checkpoint_covers(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.many.insert_many([{"_id": n} for n in range(2000)])
        fields = {"database": db.name, "collection": "many", "snapshot_chunk": 100, "snapshot_readers": 4}
        first = []
        async with opened(mongodb.uri, bounded=True, **fields) as reader:
            for _ in range(9):
                batch = await reader.read(ReadLimit(70, 1 << 25))
                assert batch is not None
                first.append(batch)
        await db.many.insert_one({"_id": 5000})
        rest = await read_all(mongodb.uri, first[-1].position, **fields)
    seen = [json.loads(r.value or b"")["_id"] for r in records_of(first) + records_of(rest)]
    assert sorted(set(seen)) == [*range(2000), 5000]
    repeated = len(seen) - len(set(seen))
    assert repeated <= 1, "only what was inserted during the snapshot comes twice"


async def test_changes_made_during_the_snapshot_come_after_it(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.busy.insert_many([{"_id": n, "v": 0} for n in range(500)])
        async with opened(mongodb.uri, database=db.name, collection="busy", snapshot_chunk=50) as reader:
            state: dict[int, int | None] = {}
            batch = await reader.read(ReadLimit(100, 1 << 25))
            await db.busy.update_many({"_id": {"$lt": 100}}, {"$set": {"v": 1}})
            await db.busy.delete_many({"_id": {"$gte": 400}})
            await db.busy.insert_many([{"_id": n, "v": 2} for n in range(1000, 1010)])
            found = [] if batch is None else list(batch.records)
            more, _ = await read_until(reader, _ends_with(b"insert", b"1009"))
    for record in found + more:
        state[int(record.key or b"")] = None if record.value is None else json.loads(record.value)["v"]
    alive = {key: value for key, value in state.items() if value is not None}
    expected = dict.fromkeys(range(100), 1) | dict.fromkeys(range(100, 400), 0) | dict.fromkeys(range(1000, 1010), 2)
    assert alive == expected


async def test_all_changes_of_a_transaction_share_an_offset_and_a_restart_in_its_middle_goes_on(
    mongodb: MongoDB,
) -> None:
    async with mongodb.database() as db:
        items = await db.create_collection("items")
        start = (await read_all(mongodb.uri, database=db.name, collection="items"))[-1].position
        async with mongodb.client() as client, client.start_session() as session, await session.start_transaction():
            mine = client[db.name]["items"]
            await mine.insert_many([{"_id": n} for n in range(10)], session=session)
            await mine.delete_one({"_id": 3}, session=session)
        async with opened(mongodb.uri, start, database=db.name, collection="items") as reader:
            batch = await reader.read(ReadLimit(4, 1 << 25))
            while batch is not None and not batch.records:
                batch = await reader.read(ReadLimit(4, 1 << 25))
        assert batch is not None
        rest = records_of(await read_all(mongodb.uri, batch.position, database=db.name, collection="items"))
        assert await items.count_documents({}) == 9
    assert [record.key for record in batch.records + rest] == [b"%d" % n for n in range(10)] + [b"3"]
    assert len({record.offset for record in batch.records + rest}) == 1


@pytest.mark.parametrize("which", ["several", "database", "deployment"])
async def test_several_collections_a_database_and_a_deployment_are_each_read_whole(
    mongodb: MongoDB, which: str
) -> None:
    async with mongodb.database() as db:
        selections: dict[str, dict[str, Any]] = {
            "several": {"database": db.name, "collections": ["a", "c"]},
            "database": {"database": db.name},
            "deployment": {"snapshot": "never"},  # others have databases on this server too
        }
        fields = selections[which]
        wanted = set(fields.get("collections", ["a", "b", "c"]))

        def complete(records: list[Record], operation: bytes) -> bool:
            return wanted <= {_collection(r, db) for r in records if header(r, "mongodb.op") == operation}

        for name in ("a", "b", "c"):
            await db[name].insert_one({})
        async with opened(mongodb.uri, **fields) as reader:
            if "snapshot" not in fields:
                found, _ = await read_until(reader, lambda records: complete(records, b"snapshot"))
                assert {_collection(r, db) for r in found} == wanted
            for name in ("a", "b", "c"):
                await db[name].insert_one({})
            found, _ = await read_until(reader, lambda records: complete(records, b"insert"))
            assert {_collection(r, db) for r in found} - {None} == wanted


async def test_the_pipeline_and_the_operations_filter_on_the_server(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.orders.insert_many([{"_id": n, "open": n % 2 == 0, "secret": 1} for n in range(20)])
        pipeline = [{"$match": {"$or": [{"fullDocument.open": True}, {"operationType": "delete"}]}}]
        pipeline.append({"$unset": "fullDocument.secret"})  # type: ignore[dict-item]
        fields = {
            "database": db.name, "collection": "orders", "pipeline": pipeline, "operations": ["insert", "delete"],
            "snapshot_chunk": 6,
        }  # fmt: skip
        async with opened(mongodb.uri, **fields) as reader:
            found, _ = await read_count(reader, 10)
            assert sorted(each["_id"] for each in documents_of(found)) == list(range(0, 20, 2))
            assert all("secret" not in each for each in documents_of(found))
            await db.orders.update_one({"_id": 0}, {"$set": {"x": 1}})
            await db.orders.insert_one({"_id": 101, "open": False})
            await db.orders.insert_one({"_id": 100, "open": True, "secret": 2})
            await db.orders.delete_one({"_id": 1})
            found, _ = await read_count(reader, 2)
    assert [(r.key, r.value) for r in found] == [(b"100", b'{"_id":100,"open":true}'), (b"1", None)]


async def test_pre_images_and_whole_events(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
        images = {"full_document": "required", "full_document_before_change": "required"}
        selection = {"database": db.name, "collection": "kept", "snapshot": "never"}
        async with (
            opened(mongodb.uri, **selection, **images) as documents,
            opened(mongodb.uri, **selection, **images, value="event") as events,
        ):
            await db.kept.insert_one({"_id": 1, "n": 1})
            await db.kept.update_one({"_id": 1}, {"$set": {"n": 2}})
            await db.kept.update_one({"_id": 1}, {"$set": {"n": 3}})
            await db.kept.delete_one({"_id": 1})
            found, _ = await read_count(documents, 4)
            whole, _ = await read_count(events, 4)
    assert [each and each["n"] for each in documents_of(found)] == [1, 2, 3, None]
    before = [header(record, "mongodb.before") for record in found]
    assert [each and json.loads(each)["n"] for each in before] == [None, 1, 2, 3]
    told = documents_of(whole)
    assert [each["operationType"] for each in told] == ["insert", "update", "update", "delete"]
    assert told[3]["fullDocumentBeforeChange"] == {"_id": 1, "n": 3}
    assert told[1]["updateDescription"]["updatedFields"] == {"n": 2}
    assert all("_id" not in each for each in told)


async def test_canonical_extended_json_labels_numbers(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.typed.insert_one({"_id": 1, "d": 2.5, "l": 2**40, "c": Decimal128("1.10")})
        fields = {"database": db.name, "collection": "typed"}
        (canonical,) = records_of(await read_all(mongodb.uri, **fields, json="canonical"))
        (relaxed,) = records_of(await read_all(mongodb.uri, **fields))
    assert documents_of([canonical]) == [
        {
            "_id": {"$numberInt": "1"},
            "d": {"$numberDouble": "2.5"},
            "l": {"$numberLong": "1099511627776"},
            "c": {"$numberDecimal": "1.10"},
        }
    ]
    assert documents_of([relaxed]) == [{"_id": 1, "d": 2.5, "l": 2**40, "c": {"$numberDecimal": "1.10"}}]


async def test_the_position_moves_while_the_collection_is_quiet(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.create_collection("quiet")
        async with opened(mongodb.uri, database=db.name, collection="quiet") as reader:
            beginning = await reader.read(ReadLimit(10, 1 << 25))
            first = await reader.read(ReadLimit(10, 1 << 25))
            assert beginning is not None
            assert first is not None
            assert beginning.records == first.records == []
            await db.loud.insert_one({"_id": 1})
            second = await reader.read(ReadLimit(10, 1 << 25))
            assert second is not None
            assert second.records == []
            assert second.position != first.position
            assert reader.lag().records == 0
            assert reader.lag().event_ms is None
            await db.quiet.insert_one({"_id": 1})
            while not (third := await reader.read(ReadLimit(10, 1 << 25))) or not third.records:
                pass
            assert reader.lag().event_ms == third.records[-1].ts_ms > 1_600_000_000_000


async def test_documents_of_16_mib_pass_in_the_snapshot_and_in_the_stream(mongodb: MongoDB) -> None:
    blob = "x" * (16 * 1024 * 1024 - 64)
    async with mongodb.database() as db:
        await db.large.insert_one({"_id": 1, "blob": blob})
        async with opened(mongodb.uri, database=db.name, collection="large") as reader:
            found, _ = await read_count(reader, 1)
            assert len(found[0].value or b"") > len(blob)
            await db.large.replace_one({"_id": 1}, {"blob": "y" * len(blob)})
            found, _ = await read_count(reader, 1)
            assert len(found[0].value or b"") > len(blob)
            await db.large.insert_one({"_id": 2})
            found, _ = await read_count(reader, 1)
            assert found[0].key == b"2"


async def test_limits_in_bytes_hold_for_large_documents(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.fat.insert_many([{"_id": n, "pad": "x" * 50_000} for n in range(50)])
        async with opened(mongodb.uri, bounded=True, database=db.name, collection="fat") as reader:
            while (batch := await reader.read(ReadLimit(1000, 200_000))) is not None:
                assert len(batch.records) <= 3


def _ends_with(operation: bytes, key: bytes | None = None) -> Callable[[list[Record]], bool]:
    def reached(records: list[Record]) -> bool:
        return any(header(r, "mongodb.op") == operation and key in (None, r.key) for r in records)

    return reached


def _collection(record: Record, db: Database) -> str | None:
    database, _, name = (header(record, "mongodb.ns") or b"").decode().partition(".")
    return name if database == db.name else None


async def test_through_the_router_of_a_sharded_cluster(mongodb: MongoDB) -> None:
    async with mongodb.database() as db, router_before(mongodb.uri) as uri:
        hello = await MongoDB(uri).hello()
        assert hello is not None
        assert hello["msg"] == "isdbgrid"
        await db.orders.insert_many([{"_id": n} for n in range(100)])
        fields = {"database": db.name, "collection": "orders", "snapshot_chunk": 30}
        batches = await read_all(uri, **fields)
        assert sorted(int(record.key or b"") for record in records_of(batches)) == [*range(100)]
        await db.orders.delete_one({"_id": 7})
        (deleted,) = records_of(await read_all(uri, batches[-1].position, **fields))
    assert (deleted.key, deleted.value) == (b"7", None)
