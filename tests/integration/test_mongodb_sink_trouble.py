"""The MongoDB sink against a real server: refusals, outages, elections."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from pymongo import WriteConcern

from tests.integration.mongodb_sink_kit import batch, documents, record, writer_to
from tests.services.mongodb import MongoReplicaSet
from tests.services.mongodb_client import Database, MongoDB
from tests.services.mongodb_secure import SecureMongoDB
from tests.waiting import insist
from wire.core.errors import RetryableError, UnavailableError
from wire.core.ports import Writer
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
    assert not await insist(lambda: writer.write(batches), RetryableError, DEADLINE_S)


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
