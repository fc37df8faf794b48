"""A record's values, looked through with the names of the fields that lead to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wire.pipelines.transforms.pii.names import bears_out, kind_of
from wire.pipelines.transforms.pii.report import Found
from wire.pipelines.transforms.pii.values import Kind, Span, find

Replace = Callable[[Kind, Any], Any]


class Scan:
    """Finds what is personal. Columns are named `address.street`, items of a list `phones[]`."""

    def __init__(self, kinds: frozenset[Kind], columns: Mapping[str, Kind], ignore: frozenset[str]) -> None:
        """Look for `kinds`; `columns` says what some columns hold, and what `ignore` names is not looked at."""
        self._kinds = kinds
        self._columns = columns
        self._ignore = ignore

    def look(self, row: dict[str, Any]) -> list[Found]:
        """Return what is in a record, without changing it."""
        found: list[Found] = []
        self._dict(row, "", found, None)
        return found

    def masked(self, row: dict[str, Any], replace: Replace) -> tuple[dict[str, Any], list[Found]]:
        """Return the record with all that was found replaced, and what was found."""
        found: list[Found] = []
        return self._dict(row, "", found, replace), found

    def _dict(self, row: dict[str, Any], path: str, found: list[Found], replace: Replace | None) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        for name, value in row.items():
            column = f"{path}.{name}" if path else name
            if value is None or column in self._ignore:
                continue
            new = self._value(value, name, column, found, replace)
            if new is not value:
                changed[name] = new
        return {**row, **changed} if changed else row

    def _value(self, value: Any, name: str, column: str, found: list[Found], replace: Replace | None) -> Any:
        if (given := self._columns.get(column)) is not None:
            return self._whole(value, Found(column, given, "configuration"), found, replace)
        if value.__class__ is dict:
            return self._dict(value, column, found, replace)
        if value.__class__ is list:
            return self._list(value, name, f"{column}[]", found, replace)
        kind = kind_of(name)
        if kind is not None and kind in self._kinds and bears_out(kind, value):
            return self._whole(value, Found(column, kind, "name"), found, replace)
        return self._text(value, column, found, replace) if value.__class__ is str else value

    def _list(self, items: list[Any], name: str, column: str, found: list[Found], replace: Replace | None) -> list[Any]:
        if column in self._ignore:
            return items
        new = [None if item is None else self._value(item, name, column, found, replace) for item in items]
        return new if any(a is not b for a, b in zip(new, items, strict=True)) else items

    def _whole(self, value: Any, what: Found, found: list[Found], replace: Replace | None) -> Any:
        found.append(what)
        return replace(what.kind, value) if replace else value

    def _text(self, text: str, column: str, found: list[Found], replace: Replace | None) -> str:
        spans = find(text, self._kinds)
        found += [Found(column, span.kind, "value") for span in spans]
        return _replaced(text, spans, replace) if spans and replace else text


def _replaced(text: str, spans: list[Span], replace: Replace) -> str:
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], str(replace(span.kind, text[span.start : span.stop]))]
        at = span.stop
    return "".join([*parts, text[at:]])
