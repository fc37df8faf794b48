"""Documents of a collection found by the values of one field, both ways in Extended JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from bson import json_util

from wire.clients import mongodb_client
from wire.clients.mongodb import MongoConnection
from wire.clients.mongodb_errors import ERRORS, Codes, translate
from wire.clients.mongodb_json import CODECS, encoder

_encode: Final = encoder("relaxed")


class MongoLookup:
    """A collection. Connects when it is first asked; bound to the event loop of that moment."""

    def __init__(self, connection: MongoConnection, codes: Codes, database: str, collection: str) -> None:
        """Ask `database`.`collection`; problems get `codes`."""
        self._connection = connection
        self._codes = codes
        self._names = (database, collection)
        self._client: mongodb_client.Client | None = None

    async def find(self, column: str, values: Sequence[bytes], timeout_s: float) -> list[bytes]:
        """Return the documents whose `column` has one of these values, as relaxed Extended JSON.

        Raises RetryableError when nobody answers in time, UnavailableError for what is refused, ValueError for values
        that are no Extended JSON.
        """
        query = {column: {"$in": [_from_json(value) for value in values]}}
        try:
            async with asyncio.timeout(timeout_s):
                return [_encode(document) for document in await self._collection().find(query).to_list()]
        except ERRORS as exc:
            raise translate(exc, self._codes, f"looking up {'.'.join(self._names)}") from exc

    async def close(self) -> None:
        """Disconnect, within seconds. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await mongodb_client.close(client)

    def _collection(self) -> Any:
        if self._client is None:
            self._client = mongodb_client.new_client(self._connection, self._codes)
        database, collection = self._names
        return self._client.get_database(database).get_collection(collection, codec_options=CODECS["relaxed"])


def _from_json(value: bytes) -> Any:
    try:
        return json_util.loads(value.decode())
    except (TypeError, KeyError) as exc:
        raise ValueError(str(exc)) from exc
