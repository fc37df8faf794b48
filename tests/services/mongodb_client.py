"""Any MongoDB, for setting a test up and for looking at what came of it.

Every call opens its own connection and closes it, so one object serves many event loops (a session's fixture).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
QUICK: dict[str, Any] = {"serverSelectionTimeoutMS": 1000, "socketTimeoutMS": 1000, "connectTimeoutMS": 1000}
_DEADLINE_MS = 30_000


class MongoDB:
    """A server or cluster that somebody runs, reached at `uri`; `options` are what a client needs besides."""

    def __init__(self, uri: str, options: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.options = dict(options or {})

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Client]:
        """A client, closed at the end."""
        defaults: dict[str, Any] = {"serverSelectionTimeoutMS": _DEADLINE_MS, "uuidRepresentation": "standard"}
        client: Client = AsyncMongoClient(self.uri, **defaults | self.options | options)
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
        try:
            async with self.client(**QUICK) as client:
                await client.admin.command("ping")
        except PyMongoError:
            return False
        return True
