"""Dead letters: records that could not be processed, as they were, and what was wrong with each.

Where a target carries headers, a letter is the record itself with headers more; elsewhere it is an envelope, a JSON
object that holds the same.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec
from msgspec import Struct

from wire.core.records import Headers, Record

PREFIX: Final = "wire-error-"
"""What the names of the headers begin with that say what was wrong."""


class Letter(Struct, frozen=True, kw_only=True):
    """A record as the source gave it, without what was added, and what was wrong with it.

    `source` is where it came from, `source/partition@offset`; `version` is that of the pipeline, where it has any.
    """

    record: Record
    code: str
    message: str = ""
    path: str = ""
    source: str = ""
    attempts: int = 1
    pipeline: str = ""
    version: int | None = None


def opened(record: Record, *, enveloped: bool) -> Letter | None:
    """Return the letter that a record of a dead-letter target is; None if it is none."""
    if enveloped:
        return _from_envelope(record)
    return _letter(record, record.headers)


def _letter(record: Record, headers: Headers) -> Letter | None:
    told = {name.removeprefix(PREFIX): value for name, value in headers if name.startswith(PREFIX)}
    words = {name: value.decode(errors="replace") for name, value in told.items() if value is not None}
    if "code" not in words:
        return None
    left = tuple((name, value) for name, value in headers if not name.startswith(PREFIX))
    return Letter(
        record=Record(record.value, record.key, record.ts_ms, left, record.offset),
        code=words["code"],
        message=words.get("message", ""),
        path=words.get("path", ""),
        source=words.get("source", ""),
        attempts=_number(words.get("attempts")) or 1,
        pipeline=words.get("pipeline", ""),
        version=_number(words.get("version")),
    )


def _from_envelope(record: Record) -> Letter | None:
    try:
        body = msgspec.json.decode(record.value or b"", type=dict[str, Any])
        headers = tuple((str(name), None if v is None else str(v).encode()) for name, v in body["headers"].items())
        original = Record(_bytes(body, "value"), _bytes(body, "key"), int(body["timestamp_ms"]), (), record.offset)
    except (msgspec.DecodeError, KeyError, AttributeError, TypeError, ValueError, binascii.Error):
        return None
    return _letter(original, headers)


def _bytes(body: dict[str, Any], name: str) -> bytes | None:
    if f"{name}_base64" in body:
        return base64.b64decode(body[f"{name}_base64"], validate=True)
    text = body[name]
    return None if text is None else str(text).encode()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
