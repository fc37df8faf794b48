"""What the kinds of text have in common: functions from a value to what is found in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wire.core.errors import RecordError
from wire.pipelines.expressions.values import type_name

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Value:
    """One value. `read` is never given None, and raises RecordError; so do the others'."""

    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields whose names are known beforehand; `read` gives a value for each, of types that JSON has."""

    names: tuple[str, ...]
    read: Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Several:
    """Fields whose names are in the text; `read` gives a mapping, or another value of a type that JSON has."""

    read: Callable[[Any], Any]


Reading = Value | Fields | Several


def text_of(value: Any) -> str:
    """Return a value that is text. Raises RecordError for any other."""
    if value.__class__ is str:
        text: str = value
        return text
    message = f"there is a {type_name(value)} to parse, not text"
    raise RecordError("transform.parse.not_text", message, hint="CAST(… AS VARCHAR) makes text of it")


def invalid(kind: str, text: str, reason: str = "") -> RecordError:
    """Return the error for text that is not what it should be."""
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
    message = f"{shown} is not {kind}{': ' if reason else ''}{reason}"
    return RecordError("transform.parse.invalid", message, hint="`on_error: null` keeps such records")


def or_null(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that gives None where `read` finds a mistake in its text."""

    def lenient(value: Any) -> Any:
        try:
            return read(value)
        except RecordError:
            return None

    return lenient


def objects_only(read: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a function that takes nothing but a mapping from `read`."""

    def strict(value: Any) -> dict[str, Any]:
        found = read(value)
        if found.__class__ is dict:
            mapping: dict[str, Any] = found
            return mapping
        message = f"there is a {type_name(found)} in the text, which has no fields"
        raise RecordError("transform.parse.invalid", message, hint="name a field for it with `into`")

    return strict


def as_mapping(fields: Fields) -> Callable[[Any], dict[str, Any]]:
    """Return a function that gives the fields by name."""
    names, read = fields.names, fields.read
    return lambda value: dict(zip(names, read(value), strict=True))
