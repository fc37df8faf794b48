"""JSON objects.

Whole numbers of any size stay exact, of a name given twice the last one counts; NaN, Infinity and lone surrogates are
refused. A pipeline that needs a few fields decodes only these, about twice as fast as a dict of all.

What JSON has no type for is written as text: TIMESTAMP `2013-01-01T10:00:00Z` (it means UTC), DATE and TIME in
ISO 8601, INTERVAL as DuckDB writes it, BLOB in base64. DECIMAL is written as a number, digit for digit. NaN and
infinities, which JSON can't hold, are null.

msgspec does both directions. orjson encodes faster, but into a buffer of 1 KiB that it then shrinks: while a batch of
its results is alive, that costs glibc ten times what encoding does. And it loses integers beyond 64 bits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from wire.core.errors import RecordError
from wire.pipelines.codecs.ports import Decoded, Names, dict_source
from wire.pipelines.expressions.moments import interval_text
from wire.pipelines.expressions.values import Interval

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode

PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes, dt.date, dt.time})
"""Classes whose values the encoder writes as they should be written."""


class JsonDecoder:
    """Source that decodes JSON objects."""

    typed: frozenset[str] | None = frozenset()

    def fields(self, wanted: Sequence[str], names: Names) -> Decoded:
        """Decode into a struct of the wanted fields; anything else is only skipped over."""
        struct = _struct(wanted, None)
        if struct is None:
            return self.whole(names)
        slots = {name: f"f{i}" for i, name in enumerate(wanted)}
        decode = names.constant(msgspec.json.Decoder(struct).decode)
        fields = names.local()
        return Decoded([f"{fields} = {decode}(raw)"], lambda name: f"{fields}.{slots[name]}")

    def whole(self, names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        return Decoded([f"row = {names.constant(_decode)}(raw)"], lambda name: f"row.get({name!a})")


class JsonEncoder:
    """Source that encodes JSON objects."""

    def fields(self, fields: Mapping[str, str], names: Names, into: str) -> list[str]:
        """Encode from a struct: a dict would cost as much again as the encoding."""
        struct, encode = _struct(list(fields)), names.constant(_encode)
        values = [_ready(source, names) if names.may_be_typed(source) else source for source in fields.values()]
        if struct is None:
            return [f"{into} = {encode}({dict_source(dict(zip(fields, values, strict=True)))})"]
        return [f"{into} = {encode}({names.constant(struct)}({', '.join(values)}))"]

    def whole(self, typed: Sequence[str] | None, names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        encode = names.constant(_encode)
        if typed is None:
            return [f"{into} = {encode}({names.constant(to_json)}(row))"]
        plain, convert = names.constant(PLAIN), names.constant(to_json)
        return [
            *(
                f"if row.get({name}).__class__ not in {plain}: row[{name}] = {convert}(row[{name}])"
                for name in map(ascii, typed)
            ),
            f"{into} = {encode}(row)",
        ]


def _struct(fields: Sequence[str], *default: None) -> type[msgspec.Struct] | None:
    """Return a struct with slots `f0`, `f1`… that are called like `fields` in JSON, and untracked by the collector.

    None where a name is one msgspec can't take: JSON would have to escape it.
    """
    slots: list[Any] = [(f"f{i}", Any, *default) for i in range(len(fields))]
    rename = {f"f{i}": name for i, name in enumerate(fields)}
    try:
        return msgspec.defstruct("Fields", slots, rename=rename, gc=False)
    except ValueError:
        return None


def _ready(source: str, names: Names) -> str:
    return f"({source} if {source}.__class__ in {names.constant(PLAIN)} else {names.constant(to_json)}({source}))"


def encode(value: Any) -> bytes:
    """Encode any value as a compiled stage does. Raises RecordError for what JSON can't hold."""
    try:
        return _encode(to_json(value))
    except UnicodeEncodeError as exc:
        raise RecordError("record.encode", f"text that is not valid Unicode can't be written: {exc.reason}") from exc


def to_json(value: Any) -> Any:
    """Return a value in terms of what the encoder writes as it should. Raises RecordError for what JSON can't hold."""
    if value.__class__ in PLAIN:
        return value
    match value:
        case dt.datetime():
            # combine() takes a tenth of the time of replace(tzinfo=…)
            return value if value.tzinfo else dt.datetime.combine(value, value.time(), dt.UTC)
        case Interval():
            return interval_text(value)
        case Decimal():
            return value if value.is_finite() else None
        case Mapping():
            return {
                name if name.__class__ is str else _name(name): item if item.__class__ in PLAIN else to_json(item)
                for name, item in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [to_json(item) for item in value]
        case str():
            return str.__str__(value)  # of a subclass; str() would ask it, and an enum gives its name
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case bytearray() | memoryview() | UUID():
            return value
    raise RecordError("record.encode", f"JSON can't hold a {type(value).__name__}")


def _name(name: object) -> str:
    if isinstance(name, str):
        return str.__str__(name)
    raise RecordError("record.encode", f"the name of a field is a {type(name).__name__}, not text")
