"""BSON to Extended JSON, and a document's `_id` to a record's key and back.

Documents are decoded by bson's C extension into plain values, with types of their own only where JSON has none, and
encoded by msgspec, which asks `_hook` about those: four times as fast as `bson.json_util`, with the same result.
https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md
"""

from __future__ import annotations

import base64
import datetime
import functools
import re
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    json_util,
)
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.json_util import JSONMode, JSONOptions
from msgspec import Raw

Flavour = Literal["relaxed", "canonical"]

_EPOCH: Final = datetime.date(1970, 1, 1)
_MINUTES: Final = [f"T{minute // 60:02}:{minute % 60:02}:".encode() for minute in range(1440)]
_SECONDS: Final = [f'{second:02}Z"}}'.encode() for second in range(60)]
_LAST_MS: Final = 253_402_300_799_999  # the year 9999, the last that relaxed Extended JSON writes as text
_OBJECT_ID: Final = re.compile(rb"[0-9a-f]{24}")
_AMBIGUOUS: Final = frozenset('{["-0123456789tfnNI \t\r\n')  # what JSON texts begin with
_FROM_JSON: Final = JSONOptions(
    json_mode=JSONMode.RELAXED,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
)


class _Number(float):
    """A double that JSON can't say as a number, or that canonical Extended JSON labels."""


class _Int32(int):
    """A 32-bit integer, where it is labelled."""


class _Bytes(TypeDecoder):
    bson_type = bytes

    def transform_bson(self, value: bytes) -> Binary:
        return Binary(value, 0)  # msgspec would write plain bytes itself, as bare base64


class _Unusual(TypeDecoder):
    bson_type = float

    def transform_bson(self, value: float) -> float:
        return value if value - value == 0.0 else _Number(value)  # infinities and NaN: msgspec would write null


class _Doubles(TypeDecoder):
    bson_type = float

    def transform_bson(self, value: float) -> _Number:
        return _Number(value)


class _Integers(TypeDecoder):
    bson_type = int

    def transform_bson(self, value: int) -> _Int32:
        return _Int32(value)


def _codec(*decoders: TypeDecoder) -> CodecOptions[dict[str, Any]]:
    return CodecOptions(
        type_registry=TypeRegistry([_Bytes(), *decoders]),
        datetime_conversion=DatetimeConversion.DATETIME_MS,  # dates before year 1 and after 9999 are valid BSON
        unicode_decode_error_handler="replace",
    )


CODECS: Final[dict[Flavour, CodecOptions[dict[str, Any]]]] = {
    "relaxed": _codec(_Unusual()),
    "canonical": _codec(_Doubles(), _Integers()),
}
"""How documents must be decoded for the encoder of that flavour."""


def encoder(flavour: Flavour) -> Callable[[Any], bytes]:
    """Return the function that turns documents decoded with `CODECS[flavour]` into Extended JSON."""
    special = _SPECIAL if flavour == "relaxed" else _SPECIAL | _CANONICAL
    return msgspec.json.Encoder(enc_hook=_hook(special)).encode


def _hook(special: dict[type, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    date = special[DatetimeMS]

    def hook(value: Any) -> Any:
        kind = type(value)
        if kind is DatetimeMS:  # the most frequent by far, with what comes next
            return date(value)
        if kind is ObjectId:
            return Raw(b'{"$oid":"%b"}' % value.binary.hex().encode())
        convert = special.get(kind)
        if convert is None:
            raise TypeError(f"BSON has no {kind.__name__}")
        return convert(value)

    return hook


def _date(value: DatetimeMS) -> Any:
    ms = int(value)
    if not 0 <= ms <= _LAST_MS:
        return _canonical_date(value)
    days, ms = divmod(ms, 86_400_000)
    minute, ms = divmod(ms, 60_000)
    second, ms = divmod(ms, 1000)
    end = b'%02d.%03dZ"}' % (second, ms) if ms else _SECONDS[second]
    return Raw(_day(days) + _MINUTES[minute] + end)


@functools.lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    """Return how a date begins that is so many days after the first of 1970."""
    return b'{"$date":"' + (_EPOCH + datetime.timedelta(days)).isoformat().encode()


def _canonical_date(value: DatetimeMS) -> dict[str, Any]:
    return {"$date": {"$numberLong": str(int(value))}}


def _double(value: float) -> dict[str, str]:
    if value != value:  # noqa: PLR0124 (only NaN differs from itself)
        return {"$numberDouble": "NaN"}
    text = float.__repr__(value)
    return {"$numberDouble": {"inf": "Infinity", "-inf": "-Infinity"}.get(text, text)}


def _binary(value: Binary) -> dict[str, Any]:
    return {"$binary": {"base64": base64.b64encode(value).decode(), "subType": f"{value.subtype:02x}"}}


def _code(value: Code) -> dict[str, Any]:
    return {"$code": str.__str__(value)} | ({} if value.scope is None else {"$scope": value.scope})


def _regex(value: Regex[Any]) -> dict[str, Any]:
    flags = value.flags
    options = "".join(
        letter
        for letter, flag in (("i", re.I), ("l", re.L), ("m", re.M), ("s", re.S), ("u", re.U), ("x", re.X))
        if flags & flag
    )
    return {"$regularExpression": {"pattern": value.pattern, "options": options}}


_SPECIAL: Final[dict[type, Callable[[Any], Any]]] = {
    DatetimeMS: _date,
    Int64: int,
    _Number: _double,
    Binary: _binary,
    Decimal128: lambda value: {"$numberDecimal": str(value)},
    Timestamp: lambda value: {"$timestamp": {"t": value.time, "i": value.inc}},
    Regex: _regex,
    Code: _code,
    DBRef: lambda value: dict(value.as_doc()),
    MinKey: lambda _: {"$minKey": 1},
    MaxKey: lambda _: {"$maxKey": 1},
}
_CANONICAL: Final[dict[type, Callable[[Any], Any]]] = {
    DatetimeMS: _canonical_date,
    Int64: lambda value: {"$numberLong": int.__repr__(value)},
    _Int32: lambda value: {"$numberInt": int.__repr__(value)},
}

_encode_relaxed: Final = encoder("relaxed")


def key_of(identity: Any) -> bytes:
    """Return an `_id` as a record's key: short to read, distinct for distinct ids, and `id_of` gives the id back.

    An ObjectId is its 24 hexadecimal digits, a text is itself, and anything else is relaxed Extended JSON (`42`,
    `{"$date":"2024-05-01T00:00:00Z"}`). A text that would read as one of the others stands in quotes: `"42"`.
    """
    if type(identity) is ObjectId:
        return identity.binary.hex().encode()
    if type(identity) is not str:
        return _encode_relaxed(_plain(identity))
    key = identity.encode()
    if not identity or identity[0] in _AMBIGUOUS or len(key) == 24:
        try:
            plain = id_of(key) == identity
        except ValueError:
            plain = False
        return key if plain else _encode_relaxed(identity)
    return key


def id_of(key: bytes) -> Any:
    """Return the `_id` of which `key_of` made this key. Any other key is read as a text."""
    if len(key) == 24 and _OBJECT_ID.fullmatch(key):
        return ObjectId(key.decode())
    text = key.decode()
    if not text or text[0] not in _AMBIGUOUS:
        return text
    try:
        value = json_util.loads(text, json_options=_FROM_JSON)
    except (ValueError, TypeError, KeyError):
        return text
    return value


def _plain(value: Any) -> Any:
    """Return an id as it would be if it had been decoded for relaxed Extended JSON."""
    if type(value) is bytes:
        return Binary(value, 0)
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else _Number(value)
    if isinstance(value, _Int32):
        return int(value)
    if isinstance(value, datetime.datetime):
        return DatetimeMS(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
