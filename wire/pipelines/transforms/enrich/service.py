"""What enriching asks of a service, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from wire.core.errors import RecordError
from wire.pipelines.codecs.json import to_json

_canonical: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode

Row = dict[str, Any]


class Request(NamedTuple):
    """What one record asks for. `body` is JSON; without a `url` it is a key among others of a request."""

    url: str
    body: bytes | None = None


class Service(Protocol):
    """Someone who is asked."""

    most: int
    """How many requests can be made into one."""

    async def ask(self, requests: Sequence[Request]) -> Sequence[Row | None]:
        """Return for each what was found, None for nothing.

        Raises RetryableError when nobody answers, RecordError when the answer is no, or not to be understood, and
        UnavailableError when it will be so for ever.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections. Idempotent."""
        ...


class Stub:
    """Answers of a test."""

    most = 1_000_000

    def __init__(self, ask: Callable[[Any], Any]) -> None:
        """Have `ask` answer, given the URL, or the body where there is one."""
        self._ask = ask

    async def ask(self, requests: Sequence[Request]) -> Sequence[Row | None]:  # noqa: D102 (contract in Service)
        keys = [request.url if request.body is None else msgspec.json.decode(request.body) for request in requests]
        return [row_of(self._ask(key)) for key in keys]

    async def close(self) -> None:
        """Do nothing."""


def key_of(value: Any) -> Request | None:
    """Return the request for a key among others, None for NULL, which nothing belongs to."""
    return None if value is None else Request("", json_of(value))


def json_of(value: Any) -> bytes:
    """Return a value as JSON, the same bytes for equal values."""
    return _canonical(to_json(value))


def row_of(found: Any) -> Row | None:
    """Return what was found as a row. Raises RecordError if it is none."""
    if found is None or isinstance(found, dict):
        return found
    message = f"the answer is no JSON object but {_kind(found)}"
    raise RecordError(
        "transform.enrich.invalid_answer", message, hint="`result` says where in the answer the object is"
    )


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}.get(
        value.__class__, "something else"
    )
