"""The `mongodb` source when servers go, rights are missing, histories are lost and collections vanish."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from tests.integration.mongodb_source_kit import header, opened, read_all, read_count, read_until, source_of
from tests.services.mongodb import MongoReplicaSet, MongoServer
from tests.services.mongodb_client import Database, MongoDB
from tests.services.mongodb_secure import SecureMongoDB
from tests.services.ports import free_ports
from tests.waiting import insist
from wire.clients.mongodb import MongoAuth, MongoTls
from wire.core.config import Secret
from wire.core.errors import FatalError, UnavailableError, WireError
from wire.core.ports import ReadLimit
from wire.core.records import Record
from wire.sources.mongodb.position import MongoPosition

pytestmark = [pytest.mark.mongodb, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

LIMIT = ReadLimit(1000, 1 << 25)


@pytest.fixture(autouse=True)
def _lost_sockets() -> Iterator[None]:
    """Collect, while they are forgiven, the sockets pymongo loses when it is closed as it tries a server again."""
    yield
    gc.collect()


async def refusal(uri: str, **fields: Any) -> WireError:
    """What opening a source and reading from it is refused with."""
    with pytest.raises(FatalError) as caught:
        async with asyncio.timeout(20):
            await read_all(uri, **fields)
    assert caught.value.hint, "every refusal says what to do"
    return caught.value


async def test_a_standalone_server_is_refused_with_what_to_do() -> None:
    async with MongoServer() as server:
        error = await refusal(server.uri, database="shop", collection="orders")
    assert error.code == "source.mongodb.no_change_streams"
    assert "--replSet" in str(error.hint)


async def test_a_collection_that_is_not_there_is_named_with_what_was_meant(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.orders.insert_one({})
        error = await refusal(mongodb.uri, database=db.name, collection="order")
    assert error.code == "source.mongodb.missing_collection"
    assert error.hint == "did you mean `orders`?"


async def test_nobody_there_is_told_within_seconds() -> None:
    uri = f"mongodb://127.0.0.1:{free_ports(1)[0]}/"
    code = (await refusal(uri, database="shop", collection="orders")).code
    assert code == "source.mongodb.unreachable"


async def test_a_user_may_log_in_by_password_or_certificate(mongodb_secure: SecureMongoDB) -> None:
    async with mongodb_secure.database() as db:
        await db.orders.insert_one({"_id": 1})
        ca, cert = str(mongodb_secure.ca_file), str(mongodb_secure.client_file)
        password = MongoAuth(username=mongodb_secure.username, password=Secret(mongodb_secure.password))
        for tls, auth in ((MongoTls(ca=ca), password), (MongoTls(ca=ca, cert=cert), MongoAuth(mechanism="X509"))):
            batches = await read_all(mongodb_secure.uri, database=db.name, collection="orders", tls=tls, auth=auth)
            assert [record.key for batch in batches for record in batch.records] == [b"1"]


async def test_a_wrong_password_a_missing_right_and_a_wrong_certificate_are_told_apart(
    mongodb_secure: SecureMongoDB, tmp_path: Any
) -> None:
    tls = MongoTls(ca=str(mongodb_secure.ca_file))
    wrong = MongoAuth(username=mongodb_secure.username, password=Secret("guessed"))
    guest = MongoAuth(username=mongodb_secure.guest, password=Secret(mongodb_secure.guest_password))
    fields = {"database": "shop", "collection": "orders"}
    errors = [
        await refusal(mongodb_secure.uri, tls=tls, auth=wrong, **fields),
        await refusal(mongodb_secure.uri, tls=tls, auth=guest, **fields),
        await refusal(mongodb_secure.uri, tls=MongoTls(), auth=wrong, **fields),
        await refusal(mongodb_secure.uri, tls=MongoTls(ca=str(tmp_path / "nothing.pem")), auth=wrong, **fields),
    ]
    assert [error.code for error in errors] == [
        "source.mongodb.authentication",
        "source.mongodb.authorization",
        "source.mongodb.tls",
        "source.mongodb.tls",
    ]
    assert not any("guessed" in str(error) for error in errors)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_step_down_a_kill_and_a_frozen_primary_lose_nothing(mongodb_cluster: MongoReplicaSet) -> None:
    cluster = mongodb_cluster
    async with cluster.client() as client:
        orders = client["shop"]["orders"]
        await orders.insert_many([{"_id": n} for n in range(3000)])
    async with opened(cluster.uri, database="shop", collection="orders", snapshot_chunk=500) as reader:
        seen = {record.key for record in (await read_count(reader, 600))[0]}
        await cluster.step_down()
        seen |= {record.key for record in (await read_count(reader, 3000 - len(seen)))[0]}
        assert len(seen) == 3000
        written = 3000
        for trouble in ("step_down", "kill", "pause"):
            written += await _write(cluster, written, 20)
            if trouble == "step_down":
                await cluster.step_down()
            else:
                primary = await cluster.primary()
                (primary.kill if trouble == "kill" else primary.pause)()
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(read_until(reader, _has(b"%d" % (written + 19))))
                written += await _write(cluster, written, 20)
            seen |= {record.key for record in reading.result()[0]}
            assert seen >= {b"%d" % n for n in range(written)}
            for member in cluster.members:
                member.resume()
            await cluster.start()


def _has(key: bytes) -> Callable[[list[Record]], bool]:
    return lambda records: any(record.key == key for record in records)


def _has_op(operation: bytes, key: bytes) -> Callable[[list[Record]], bool]:
    return lambda records: any(r.key == key and header(r, "mongodb.op") == operation for r in records)


async def _write(cluster: MongoReplicaSet, first: int, count: int) -> int:
    async with asyncio.timeout(60), cluster.client(socketTimeoutMS=3000) as client:
        for n in range(first, first + count):
            await insist(partial(client["shop"]["orders"].replace_one, {"_id": n}, {}, upsert=True), PyMongoError)
    return count


async def test_a_lost_cursor_is_opened_again_where_it_was(own_mongodb: MongoReplicaSet) -> None:
    async with own_mongodb.database() as db:
        await db.orders.insert_many([{"_id": n} for n in range(3000)])
        async with opened(own_mongodb.uri, database=db.name, collection="orders", snapshot_chunk=3000) as reader:
            batch = await reader.read(ReadLimit(10, 1 << 20))
            assert batch is not None
            await _kill_cursors(db)
            found, _ = await read_count(reader, 2990)
            assert {r.key for r in [*batch.records, *found]} == {b"%d" % n for n in range(3000)}
            for n in (5000, 5001, 5002):
                await db.orders.insert_one({"_id": n})
                found, _ = await read_count(reader, 1)
                assert [r.key for r in found] == [b"%d" % n]
                await _kill_cursors(db)


async def _kill_cursors(db: Database) -> None:
    admin = db.client.admin
    cursor = await admin.aggregate([{"$currentOp": {"idleCursors": True, "localOps": True}}])
    for operation in await cursor.to_list():
        if "cursor" in operation and operation["ns"].startswith(db.name):
            await db.command(
                "killCursors", operation["ns"].partition(".")[2], cursors=[operation["cursor"]["cursorId"]]
            )


@pytest.fixture
async def forgetful() -> AsyncIterator[MongoReplicaSet]:
    """A server with ten documents in shop.orders that can be told to answer with an error."""
    async with MongoReplicaSet(1, "--setParameter", "enableTestCommands=1") as server:
        async with server.client() as client:
            await client["shop"]["orders"].insert_many([{"_id": n} for n in range(10)])
        yield server


async def _lose_history(server: MongoReplicaSet, command: str = "aggregate", mode: Any = "alwaysOn") -> None:
    """Have a command answered as a server does whose history no longer reaches back to where a stream goes on."""
    async with server.client() as client:
        data = {"failCommands": [command], "errorCode": 286}
        await client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)


ORDERS = {"database": "shop", "collection": "orders"}


async def test_a_lost_history_stops_by_default_and_says_what_can_be_chosen(forgetful: MongoReplicaSet) -> None:
    position = (await read_all(forgetful.uri, **ORDERS))[-1].position
    async with opened(forgetful.uri, position, **ORDERS) as reader:
        await _lose_history(forgetful)
        for _ in range(2):
            with pytest.raises(FatalError) as caught:
                await reader.read(LIMIT)
            assert caught.value.code == "source.mongodb.history_lost"
            assert "resnapshot" in str(caught.value.hint)


@pytest.mark.parametrize("command", ["aggregate", "getMore"])
async def test_a_lost_history_is_met_by_reading_all_again(forgetful: MongoReplicaSet, command: str) -> None:
    position = (await read_all(forgetful.uri, **ORDERS))[-1].position
    again = ORDERS | {"on_history_lost": "resnapshot"}
    async with forgetful.client() as client, opened(forgetful.uri, position, **again) as reader:
        await client["shop"]["orders"].delete_one({"_id": 0})
        await client["shop"]["orders"].insert_one({"_id": 10})
        await _lose_history(forgetful, command, {"times": 1})
        found, _ = await read_until(reader, _has_op(b"snapshot", b"10"))
        in_snapshot = [record for record in found if header(record, "mongodb.op") == b"snapshot"]
        assert {record.key for record in in_snapshot} == {b"%d" % n for n in range(1, 11)}
        assert min(record.offset for record in in_snapshot) > MongoPosition.decode(position).offset
        await client["shop"]["orders"].insert_one({"_id": 11})
        found, after = await read_count(reader, 1)
        assert [record.key for record in found] == [b"11"]
        assert MongoPosition.decode(after).losses == 0


async def test_a_lost_history_is_passed_over_where_that_was_chosen(forgetful: MongoReplicaSet) -> None:
    position = (await read_all(forgetful.uri, **ORDERS))[-1].position
    reset = ORDERS | {"on_history_lost": "reset"}
    async with forgetful.client() as client, opened(forgetful.uri, position, **reset) as reader:
        await client["shop"]["orders"].insert_one({"_id": 10})
        await _lose_history(forgetful, mode={"times": 1})
        moved = await reader.read(LIMIT)
        assert moved is not None
        assert moved.records == []
        await client["shop"]["orders"].insert_one({"_id": 11})
        found, _ = await read_count(reader, 1)
        assert [record.key for record in found] == [b"11"]


async def test_a_history_that_is_always_lost_ends_in_an_error(forgetful: MongoReplicaSet) -> None:
    place = MongoPosition.decode((await read_all(forgetful.uri, **ORDERS))[-1].position)
    again = ORDERS | {"on_history_lost": "resnapshot"}
    for losses in (1, 2):  # each time a new snapshot is read, and its place in the stream is gone by then
        async with opened(forgetful.uri, place.encode(), **again) as reader:
            await _lose_history(forgetful, mode={"times": 1})
            batch = await reader.read(LIMIT)
            assert batch is not None
            place = MongoPosition.decode(batch.position)
            assert place.losses == losses
    async with opened(forgetful.uri, place.encode(), **again) as reader:
        await _lose_history(forgetful, mode={"times": 1})
        with pytest.raises(FatalError, match="3 times in a row") as caught:
            await reader.read(LIMIT)
    assert caught.value.code == "source.mongodb.history_lost"


@pytest.mark.parametrize("how", ["drop", "rename", "drop_database"])
async def test_a_named_collection_that_goes_is_an_error_after_all_that_came_before(mongodb: MongoDB, how: str) -> None:
    async with mongodb.database() as db:
        await db.orders.insert_one({"_id": 1})
        async with opened(mongodb.uri, database=db.name, collection="orders") as reader:
            await read_count(reader, 1)
            await db.orders.insert_one({"_id": 2})
            await _let_go(db, how)
            found, position = await read_count(reader, 1)
            assert [record.key for record in found] == [b"2"]
            for _ in range(2):
                with pytest.raises(FatalError) as caught:
                    await reader.read(LIMIT)
                assert caught.value.code == "source.mongodb.collection_gone"
        with pytest.raises(FatalError):  # and again after a restart, until `on_drop` says to go on
            await read_all(mongodb.uri, position, database=db.name, collection="orders")


@pytest.mark.parametrize("how", ["drop", "rename", "drop_database"])
@pytest.mark.parametrize("named", [True, False])
async def test_reading_goes_on_with_what_comes_under_the_name(mongodb: MongoDB, how: str, named: bool) -> None:
    async with mongodb.database() as db:
        await db.orders.insert_one({"_id": 1})
        fields = {"database": db.name} | ({"collection": "orders", "on_drop": "continue"} if named else {})
        async with opened(mongodb.uri, **fields) as reader:
            await read_count(reader, 1)
            await db.orders.insert_one({"_id": 2})
            await _let_go(db, how)
            await db.orders.insert_one({"_id": 3})
            found, position = await read_until(reader, _has(b"3"))
            assert [record.key for record in found] == [b"2", b"3"]
        await db.orders.insert_one({"_id": 4})
        batches = await read_all(mongodb.uri, position, **fields)
        assert [r.key for batch in batches for r in batch.records] == [b"4"]
        assert {header(r, "mongodb.op") for r in found} == {b"insert"}


@pytest.mark.parametrize("how", ["drop", "rename", "drop_database"])
@pytest.mark.parametrize("named", [True, False])
async def test_a_collection_that_goes_during_its_snapshot_is_told_by_the_stream(
    mongodb: MongoDB, how: str, named: bool
) -> None:
    async with mongodb.database() as db:
        await db.orders.insert_many([{"_id": n} for n in range(5000)])
        fields: dict[str, Any] = {"database": db.name, "snapshot_chunk": 2000} | (
            {"collection": "orders"} if named else {}
        )
        async with opened(mongodb.uri, **fields) as reader:
            assert await reader.read(ReadLimit(10, 1 << 20)) is not None
            await _let_go(db, how)
            await db.orders.insert_one({"_id": "new"})
            if named:
                with pytest.raises(FatalError) as caught:
                    await read_until(reader, lambda _: False)
                assert caught.value.code == "source.mongodb.collection_gone"
            else:
                await read_until(reader, _has_op(b"insert", b"new"))


async def _let_go(db: Database, how: str) -> None:
    if how == "drop":
        await db.orders.drop()
    elif how == "rename":
        await db.orders.rename("elsewhere")
    else:
        await db.client.drop_database(db.name)


async def test_a_pipeline_that_takes_the_key_away_is_an_error(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.orders.insert_one({"_id": 1})
        error = await refusal(
            mongodb.uri, database=db.name, collection="orders", pipeline=[{"$project": {"fullDocument": 1}}]
        )
    assert error.code == "source.mongodb.event_incomplete"


async def test_required_images_that_are_not_kept_are_an_error(mongodb: MongoDB) -> None:
    async with mongodb.database() as db:
        await db.create_collection("orders")
        fields = {"database": db.name, "collection": "orders", "full_document_before_change": "required"}
        async with opened(mongodb.uri, **fields) as reader:
            await reader.read(LIMIT)
            await db.orders.insert_one({"_id": 1})
            await db.orders.delete_one({"_id": 1})
            with pytest.raises(UnavailableError) as caught:
                await read_count(reader, 2)
    assert caught.value.code == "source.mongodb.rejected"


async def test_a_bad_uri_is_told_without_the_password_in_it() -> None:
    source = source_of("mongodb://wire:se/cret@localhost/", database="shop", collection="orders")
    with pytest.raises(UnavailableError) as caught:
        await source.partitions()
    assert "cret" not in str(caught.value)
    assert "percent-encoded" in str(caught.value.hint)
