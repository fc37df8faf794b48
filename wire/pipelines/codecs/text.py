"""UTF-8 text, seen by expressions as one field named `value`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wire.core.errors import RecordError
from wire.pipelines.codecs.faults import unwritable
from wire.pipelines.codecs.ports import Decoded, Names
from wire.pipelines.expressions.texts import to_text

FIELD: Final = "value"


class TextDecoder:
    """Source that decodes text."""

    typed: frozenset[str] | None = frozenset()

    def fields(self, wanted: Sequence[str], names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        text = names.local()
        statements = [f"{text} = str(raw, 'utf-8')"] if FIELD in wanted else []
        return Decoded(statements, lambda name: text if name == FIELD else "None")

    def whole(self, names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        return Decoded([f"row = {{{FIELD!r}: str(raw, 'utf-8')}}"], lambda name: f"row.get({name!a})")


class TextEncoder:
    """Source that encodes the field `value`, of any type, as text. A record must have this field and no other."""

    def __init__(self, path: str) -> None:
        """`path` is where the user chose the format."""
        self._path = path

    def fields(self, fields: Mapping[str, str], names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        if list(fields) != [FIELD]:
            found = ", ".join(f"`{name}`" for name in fields) or "none"
            raise unwritable(self._path, f"text has one field, `{FIELD}`; the transforms make {found}", _HINT)
        return [f"{into} = {names.constant(_encode)}({fields[FIELD]})"]

    def whole(self, typed: Sequence[str] | None, names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        return [f"{into} = {names.constant(_encode_row)}(row)"]


_HINT: Final = f'end the transforms with a select of one expression, such as `select: "name AS {FIELD}"`'


def _encode_row(row: dict[str, Any]) -> bytes:
    if row.keys() != {FIELD}:
        raise RecordError(
            "record.unknown_column", f"text has one field, `{FIELD}`, and the record has others", hint=_HINT
        )
    return _encode(row[FIELD])


def _encode(value: Any) -> bytes:
    if value is None:
        raise RecordError("record.encode", f"the field `{FIELD}` is NULL, which text can't hold")
    try:
        return to_text(value).encode()
    except UnicodeEncodeError as exc:
        raise RecordError("record.encode", f"the field `{FIELD}` is not valid Unicode: {exc.reason}") from exc
