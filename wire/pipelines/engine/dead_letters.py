"""Records that can't be processed, kept aside: with their original bytes and what was wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from wire.core.records import Batch, Headers, Record
from wire.pipelines.engine.ledger import Ticket
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.rejecting import Rejected, coordinates, count


class DeadLetter:
    """Hands rejected records to the dead-letter sink; they settle, and count, when they are durable there (I2)."""

    last_resort = False

    def __init__(
        self, pipeline: str, version: int | None, progress: Progress, wrap: Callable[[Record], Record], put: Put
    ) -> None:
        """Make dead letters of a version of a pipeline and give them to `put`; `wrap` fits them to the sink."""
        self._pipeline: Headers = (("wire-error-pipeline", pipeline.encode()),)
        if version is not None:
            self._pipeline += (("wire-error-version", b"%d" % version),)
        self._progress = progress
        self._wrap = wrap
        self._put = put

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:  # noqa: D102 (contract in RejectPolicy)
        letters = [self._wrap(self._letter(source, origin, one)) for one in rejected]
        self._put(ticket, source, Batch(origin.partition, origin.position, letters, source=source), origin)
        count(self._progress, rejected)

    def _letter(self, source: str, origin: Batch, rejected: Rejected) -> Record:
        record, error = rejected.record, rejected.error
        headers = (
            *record.headers,
            ("wire-error-code", _encoded(error.code)),
            ("wire-error-message", _encoded(error.message)),
            ("wire-error-path", _encoded(error.path or "")),
            ("wire-error-source", _encoded(coordinates(source, origin, record))),
            ("wire-error-attempts", _encoded(str(rejected.attempts))),
            *self._pipeline,
        )
        return Record(record.value, record.key, record.ts_ms, headers, record.offset)


def _encoded(text: str) -> bytes:
    # a file's name, or a message that repeats part of a value, need not be text that can be encoded
    return text.encode(errors="backslashreplace")


class Put(Protocol):
    """How a branch takes a batch: it holds the ticket until every record of the batch is done with."""

    def __call__(self, ticket: Ticket, source: str, batch: Batch, origin: Batch) -> None:
        """Queue `batch`, made from `origin`."""
        ...


def as_is(record: Record) -> Record:
    """Fit a dead letter to a sink that carries key and headers: it keeps its original bytes as they are."""
    return record


def envelope(record: Record) -> Record:
    """Fit a dead letter to a sink that carries only values: a JSON object with the original bytes and the headers.

    `value` is text where the original bytes are valid UTF-8, else they are in `value_base64`; likewise the key.
    """
    body: dict[str, Any] = _text_or_base64("value", record.value) | _text_or_base64("key", record.key)
    body["timestamp_ms"] = record.ts_ms
    body["headers"] = {
        name: None if value is None else value.decode(errors="replace") for name, value in record.headers
    }
    return Record(msgspec.json.encode(body), record.key, record.ts_ms, (), record.offset)


def _text_or_base64(name: str, data: bytes | None) -> dict[str, str | None]:
    if data is None:
        return {name: None}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
