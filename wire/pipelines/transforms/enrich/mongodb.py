"""A MongoDB collection as something to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from wire.clients.mongodb_errors import Codes
from wire.clients.mongodb_lookup import MongoLookup
from wire.core.errors import RecordError
from wire.pipelines.transforms.enrich.config import MongoEnrich
from wire.pipelines.transforms.enrich.service import Request, Row, json_of

_CODES: Final = Codes(
    authentication="transform.enrich.refused",
    authorization="transform.enrich.refused",
    rejected="transform.enrich.refused",
    tls="transform.enrich.tls",
    unreachable="transform.enrich.unreachable",
)


class MongoService:
    """Finds documents by the values of one field, as relaxed Extended JSON. Of several the first one counts."""

    def __init__(self, config: MongoEnrich) -> None:
        """Make a service; nothing is connected yet."""
        self.most = config.max_keys
        self._column = config.column
        self._timeout_s = config.timeout.s
        self._lookup = MongoLookup(config, _CODES, config.database, config.collection)

    async def ask(self, requests: Sequence[Request]) -> Sequence[Row | None]:  # noqa: D102 (contract in Service)
        keys = [request.body or b"null" for request in requests]
        try:
            documents = await self._lookup.find(self._column, keys, self._timeout_s)
        except ValueError as exc:
            message = f"a key is no Extended JSON: {exc}"
            raise RecordError("transform.enrich.invalid_request", message) from exc
        found: dict[bytes, Row] = {}
        for row in map(msgspec.json.decode, documents):
            found.setdefault(_comparable(_at(row, self._column)), row)
        return [found.get(_comparable(msgspec.json.decode(key))) for key in keys]

    async def close(self) -> None:  # noqa: D102 (contract in Service)
        await self._lookup.close()


def _comparable(key: Any) -> bytes:
    """MongoDB takes 7 and 7.0 for the same."""
    return json_of(int(key) if key.__class__ is float and key.is_integer() else key)


def _at(row: Row, column: str) -> Any:
    value: Any = row
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
