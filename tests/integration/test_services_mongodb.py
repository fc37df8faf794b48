"""The launcher itself: what the tests of the MongoDB connectors lean on."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from tests.services.mongodb import MongoReplicaSet, MongoServer
from tests.services.mongodb_client import Database, MongoDB
from tests.services.mongodb_secure import SecureMongoDB

pytestmark = pytest.mark.mongodb


async def _ids(database: Database) -> list[int]:
    return [document["_id"] async for document in database.things.find().sort("_id")]


async def test_a_database_is_empty_and_is_gone_afterwards(mongodb: MongoDB) -> None:
    async with mongodb.database() as database:
        assert await database.list_collection_names() == []
        await database.things.insert_one({"_id": 1})
        name = database.name
    async with mongodb.client() as client:
        assert name not in await client.list_database_names()


async def test_changes_can_be_watched(mongodb: MongoDB) -> None:
    async with mongodb.database() as database, await database.watch() as changes:
        await database.things.insert_one({"_id": 1})
        assert (await changes.next())["fullDocument"] == {"_id": 1}


async def test_a_standalone_server_has_no_changes_to_watch() -> None:
    async with MongoServer() as server, server.database() as database:
        await database.things.insert_one({"_id": 1})
        assert await _ids(database) == [1]
        with pytest.raises(OperationFailure, match="replica set"):
            await database.watch()


async def test_a_killed_server_comes_back_with_what_it_acknowledged(own_mongodb: MongoReplicaSet) -> None:
    (member,) = own_mongodb.members
    async with own_mongodb.database() as database:
        await database.things.insert_one({"_id": 1})
        member.kill()
        assert not await member.answers()
        await own_mongodb.start()
        await database.things.insert_one({"_id": 2})
        assert await _ids(database) == [1, 2]


async def test_another_member_takes_over_for_one_that_is_killed_or_frozen(mongodb_cluster: MongoReplicaSet) -> None:
    async with mongodb_cluster.database() as database:
        await database.things.insert_one({"_id": 1})
        killed = await mongodb_cluster.primary()
        killed.kill()
        assert await mongodb_cluster.primary() is not killed
        await database.things.insert_one({"_id": 2})
        await mongodb_cluster.start()
        frozen = await mongodb_cluster.primary()
        frozen.pause()
        assert await mongodb_cluster.primary() is not frozen
        frozen.resume()
        assert await _ids(database) == [1, 2]


async def test_a_primary_steps_down(mongodb_cluster: MongoReplicaSet) -> None:
    before = await mongodb_cluster.primary()
    await mongodb_cluster.step_down()
    assert await mongodb_cluster.primary() is not before
    assert before.running


@pytest.mark.parametrize("mechanism", SecureMongoDB.mechanisms)
async def test_a_user_is_let_in_by_password(mongodb_secure: SecureMongoDB, mechanism: str) -> None:
    async with mongodb_secure.client(authMechanism=mechanism) as client:
        await client.list_database_names()
    async with mongodb_secure.client(authMechanism=mechanism, password="wrong") as client:
        with pytest.raises(PyMongoError, match="Authentication failed"):
            await client.list_database_names()


async def test_a_client_is_let_in_by_its_certificate(mongodb_secure: SecureMongoDB) -> None:
    anybody = MongoDB(mongodb_secure.uri, {"tls": True, "tlsCAFile": str(mongodb_secure.ca_file)})
    async with anybody.client() as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            await client.list_database_names()
    certificate = {"tlsCertificateKeyFile": str(mongodb_secure.client_file), "authMechanism": "MONGODB-X509"}
    async with anybody.client(**certificate) as client:
        await client.list_database_names()


async def test_a_guest_may_not_read(mongodb_secure: SecureMongoDB) -> None:
    guest = {"username": mongodb_secure.guest, "password": mongodb_secure.guest_password}
    async with mongodb_secure.client(**guest) as client:
        with pytest.raises(OperationFailure, match="not authorized"):
            await client.secrets.things.find_one()


async def test_without_tls_nobody_is_answered(mongodb_secure: SecureMongoDB) -> None:
    assert not await MongoDB(mongodb_secure.uri).answers()
