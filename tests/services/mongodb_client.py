"""Any MongoDB, for setting a test up and for looking at what came of it.

Every call opens its own connection and closes it, so one object serves many event loops (a session's fixture).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
QUICK: dict[str, Any] = {"serverSelectionTimeoutMS": 1000, "socketTimeoutMS": 1000, "connectTimeoutMS": 1000}
_DEFAULTS: dict[str, Any] = {"serverSelectionTimeoutMS": 30_000, "uuidRepresentation": "standard"}
_QUICK: dict[str, Any] = {"serverSelectionTimeoutMS": 1000, "socketTimeoutMS": 1000, "connectTimeoutMS": 1000}


class MongoDB:
    """A server or cluster that somebody runs, reached at `uri`; `options` are what a client needs besides."""

    def __init__(self, uri: str, options: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.options = dict(options or {})

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Client]:
        """A client, closed at the end."""
        client: Client = AsyncMongoClient(self.uri, **_DEFAULTS | self.options | options)
        try:
            yield client
        finally:
            await client.close()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """A database that nobody else uses, and a client for it; dropped at the end."""
        async with self.client() as client:
            database = client[f"t_{uuid4().hex[:12]}"]
            try:
                yield database
            finally:
                await client.drop_database(database.name)

    async def answers(self) -> bool:
        """Return whether a server answers, within a second or two."""
        return await self.hello() is not None

    async def hello(self) -> Mapping[str, Any] | None:
        """Return what a server says of itself, within a second or two; None if it says nothing."""
        return await asyncio.to_thread(self._hello)

    def _hello(self) -> Mapping[str, Any] | None:
        # A client for asyncio that is closed while it connects leaves a socket open, for which some test is then
        # blamed; one of threads does not, and who asks a server that may not be up closes it just then.
        try:
            with MongoClient[Document](self.uri, **self.options | _QUICK) as client:
                return client.admin.command("hello")
        except PyMongoError:
            return None
