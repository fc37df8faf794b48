"""The values expressions work on, and the SQL types they stand for.

JSON's types and the few a cast can give: None is NULL, bool BOOLEAN, int BIGINT (HUGEINT beyond 64 bits), float DOUBLE,
str VARCHAR, list LIST, dict STRUCT, `datetime` TIMESTAMP (naive, UTC), `date` DATE, `time` TIME, `Interval` INTERVAL,
`Decimal` DECIMAL, bytes BLOB.
"""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any, Final, NamedTuple

BIGINT_MIN: Final = -(2**63)
BIGINT_MAX: Final = 2**63 - 1
HUGEINT_MIN: Final = -(2**127)
HUGEINT_MAX: Final = 2**127 - 1
MAX_TEXT: Final = 16 * 2**20
"""The longest text a function may build, in characters (I10: no short expression fills the memory)."""

MICROS_PER_DAY: Final = 86_400_000_000
EPOCH: Final = dt.datetime(1970, 1, 1)


class Interval(NamedTuple):
    """A span of time in the three units that don't convert into each other."""

    months: int = 0
    days: int = 0
    micros: int = 0


class LiteralText(str):
    """A text literal of the expression: compared with another type, it becomes that type, as in DuckDB."""

    __slots__ = ()


class Kind(enum.IntFlag):
    """What types a value may have; the code generator leaves out checks that its kinds make needless."""

    NULL = enum.auto()
    BOOL = enum.auto()
    INT = enum.auto()
    FLOAT = enum.auto()
    DECIMAL = enum.auto()
    TEXT = enum.auto()
    DATE = enum.auto()
    TIMESTAMP = enum.auto()
    TIME = enum.auto()
    INTERVAL = enum.auto()
    BLOB = enum.auto()
    LIST = enum.auto()
    STRUCT = enum.auto()
    NUMBER = INT | FLOAT | DECIMAL
    MOMENT = DATE | TIMESTAMP
    ANY = NUMBER | NULL | BOOL | TEXT | MOMENT | TIME | INTERVAL | BLOB | LIST | STRUCT


NO_KIND: Final = Kind(0)
CLASS_KINDS: Final[dict[type, Kind]] = {
    type(None): Kind.NULL,
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    str: Kind.TEXT,
    LiteralText: Kind.TEXT,
    dt.date: Kind.DATE,
    dt.datetime: Kind.TIMESTAMP,
    dt.time: Kind.TIME,
    Interval: Kind.INTERVAL,
    bytes: Kind.BLOB,
    list: Kind.LIST,
    dict: Kind.STRUCT,
}
KIND_CLASSES: Final[dict[Kind, type]] = {kind: cls for cls, kind in CLASS_KINDS.items() if cls is not LiteralText}
_NAMES: Final[dict[Kind, str]] = {
    Kind.NULL: "NULL",
    Kind.BOOL: "BOOLEAN",
    Kind.INT: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.DECIMAL: "DECIMAL",
    Kind.TEXT: "VARCHAR",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIME: "TIME",
    Kind.INTERVAL: "INTERVAL",
    Kind.BLOB: "BLOB",
    Kind.LIST: "LIST",
    Kind.STRUCT: "STRUCT",
}


def kind_of(value: object) -> Kind:
    """Return the kind of a value; ANY for a class expressions don't know (a `python` transform may make one)."""
    return CLASS_KINDS.get(value.__class__, Kind.ANY)


def type_name(value: Any) -> str:
    """Return the SQL type of a value as `typeof` gives it."""
    kind = kind_of(value)
    if kind is Kind.INT and not BIGINT_MIN <= value <= BIGINT_MAX:
        return "HUGEINT"
    return _NAMES.get(kind) or type(value).__name__


def kind_names(kinds: Kind) -> str:
    """Return the SQL names of several kinds for a message: `BIGINT or DOUBLE`."""
    return " or ".join(name for kind, name in _NAMES.items() if kind & kinds and kind is not Kind.NULL) or "NULL"
