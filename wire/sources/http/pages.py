"""What an answer holds: the records, byte for byte, and single values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from wire.core.errors import FatalError

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NULL: Final = b"null"


def records_of(body: bytes, path: Sequence[str]) -> list[bytes]:
    """Return the records in an answer: the items of the list at `path`, or the object there. Raises FatalError."""
    if not body.strip():
        return []
    try:
        found = _raw_at(body, path)
        if found is None:
            missing = f"there is no `{'.'.join(path)}` in the answer"
            raise _invalid(missing)
        if found.lstrip()[:1] == b"{":
            return [_one_line(found)]
        return [] if found.strip() == _NULL else [_one_line(bytes(item)) for item in _list(found)]
    except (msgspec.DecodeError, RecursionError) as exc:
        raise _invalid(f"the answer is not JSON, or its records are no list: {exc}") from exc


def value_at(body: bytes, path: Sequence[str]) -> Any:
    """Return a value of JSON that is known to be well-formed, None where there is nothing."""
    try:
        found = _raw_at(body, path)
        return None if found is None else msgspec.json.decode(found)
    except msgspec.DecodeError:
        return None


def _raw_at(body: bytes, path: Sequence[str]) -> bytes | None:
    for name in path:
        raw = _object(body).get(name)
        if raw is None:
            return None
        body = bytes(raw)
    return body


def _one_line(record: bytes) -> bytes:
    return msgspec.json.format(record, indent=-1) if b"\n" in record else record


def _invalid(message: str) -> FatalError:
    return FatalError("source.http.invalid_answer", message, hint="`records` says where in an answer they are")
