"""HTTP services as something to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from wire.clients.http import place_of
from wire.clients.http_client import Answer, Codes, HttpClient
from wire.core.clock import Clock
from wire.core.errors import RecordError, RetryableError
from wire.pipelines.transforms.enrich.config import HttpBatch, HttpEnrich
from wire.pipelines.transforms.enrich.service import Request, Row, json_of, row_of

_CODES: Final = Codes(
    invalid_request="transform.enrich.invalid_request",
    tls="transform.enrich.tls",
    unreachable="transform.enrich.unreachable",
)
_MAX_ANSWER: Final = 16 << 20
_JSON: Final = {"content-type": "application/json", "accept": "application/json"}
_ABSENT: Final = frozenset({204, 404, 410})


class HttpService:
    """Asks for one thing at a time. 404, 410, 204 and `null` mean that there is nothing."""

    most = 1

    def __init__(self, config: HttpEnrich, clock: Clock) -> None:
        """Make a service; nothing is connected yet."""
        self._method = config.method
        self._result = config.result.split(".") if config.result else []
        self._clock = clock
        self._client = HttpClient(config, _CODES, connections=config.concurrency, max_answer=_MAX_ANSWER)

    async def ask(self, requests: Sequence[Request]) -> Sequence[Row | None]:  # noqa: D102 (contract in Service)
        return [row_of(await self.found(request.url, request.body)) for request in requests]

    async def found(self, url: str, body: bytes | None) -> Any:
        """Return what the answer holds at `result`, None for nothing."""
        answer = await self._client.request(self._method, url, headers=_JSON, content=body)
        if answer.status in _ABSENT:
            return None
        if not answer.good:
            raise self._refusal(answer, url)
        return self._read(answer, url)

    async def close(self) -> None:  # noqa: D102 (contract in Service)
        await self._client.close()

    def _refusal(self, answer: Answer, url: str) -> RecordError | RetryableError:
        message = f"{place_of(url)} answered {answer.summary()}"
        if answer.passing:
            return RetryableError("transform.enrich.unreachable", message, after_s=answer.after_s(self._clock.now_ms()))
        hint = {401: "check `auth`", 403: "check `auth`"}.get(answer.status, "check the URL and what is sent")
        return RecordError("transform.enrich.refused", message, hint=hint)

    def _read(self, answer: Answer, url: str) -> Any:
        if answer.cut:
            message = f"the answer of {place_of(url)} is larger than {_MAX_ANSWER >> 20} MiB"
            raise RecordError("transform.enrich.invalid_answer", message)
        try:
            found = msgspec.json.decode(answer.body) if answer.body else None
        except (msgspec.DecodeError, RecursionError) as exc:
            message = f"the answer of {place_of(url)} is not JSON: {exc}"
            raise RecordError("transform.enrich.invalid_answer", message) from exc
        for name in self._result:
            found = found.get(name) if isinstance(found, dict) else None
        return found


class BatchedHttpService:
    """Asks for many keys at once. What the answer does not hold is not there."""

    def __init__(self, config: HttpEnrich, batch: HttpBatch, clock: Clock) -> None:
        """Make a service; nothing is connected yet."""
        self.most = batch.max_keys
        self._url = config.url
        self._batch = batch
        self._service = HttpService(config, clock)

    async def ask(self, requests: Sequence[Request]) -> Sequence[Row | None]:  # noqa: D102 (contract in Service)
        keys = b"[" + b",".join(request.body or b"null" for request in requests) + b"]"
        body = keys if self._batch.field is None else b'{"%b":%b}' % (_name(self._batch.field), keys)
        rows = await self._service.found(self._url, body)
        if rows is not None and not isinstance(rows, list):
            hint = "`result` says where in the answer the list is"
            raise RecordError("transform.enrich.invalid_answer", "the answer is no JSON list", hint=hint)
        by_key = {json_of(row.get(self._batch.column)): row for row in map(row_of, rows or []) if row is not None}
        return [by_key.get(request.body or b"null") for request in requests]

    async def close(self) -> None:  # noqa: D102 (contract in Service)
        await self._service.close()


def _name(field: str) -> bytes:
    return msgspec.json.encode(field)[1:-1]
