"""From whatever was raised while a record was processed to the reason it failed."""

from __future__ import annotations

import msgspec

from wire.core.errors import RecordError, WireError


def failure(exc: Exception) -> WireError:
    """Return why a record failed. Raises errors that are not the record's: `FatalError` and `RetryableError`."""
    match exc:
        case RecordError():
            return exc
        case WireError():
            raise exc
        case msgspec.ValidationError() if " - at `" not in str(exc):
            found = str(exc).partition("got ")[2] or "something else"
            return RecordError("record.not_an_object", f"expected a JSON object, found {found.strip('`')}")
        case msgspec.DecodeError():
            return RecordError(
                "record.decode", f"the value is not valid JSON: {str(exc).removeprefix('JSON is malformed: ')}"
            )
        case UnicodeDecodeError():
            return RecordError("record.decode", f"the value is not UTF-8 text: {exc.reason} at byte {exc.start}")
        case UnicodeEncodeError():
            return RecordError("record.encode", f"text that is not valid Unicode can't be written: {exc.reason}")
        case RecursionError():
            return RecordError("record.decode", "the value is nested too deeply")
    return RecordError("record.failed", f"the record made a transform fail: {type(exc).__name__}: {exc}")
