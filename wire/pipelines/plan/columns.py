"""The expressions in a sink's configuration, found without knowing the sink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from wire.core.config import ByRecord, Expression, fields_of


def sink_expressions(config: Any) -> dict[str, Expression]:
    """Return the expressions anywhere in a configuration, by the dotted path of their field.

    `topic: {expr: …}` is called `topic`; an item of a list is called by its index, one of a mapping by its key.
    """
    return dict(_expressions(config, ""))


def _expressions(value: Any, path: str) -> Iterator[tuple[str, Expression]]:
    prefix = f"{path}." if path else ""
    match value:
        case Expression():
            yield path, value
        case ByRecord():
            yield path, value.expr
        case msgspec.Struct():
            for field in fields_of(type(value)):
                yield from _expressions(getattr(value, field.name), f"{prefix}{field.encode_name}")
        case dict():
            for key, item in value.items():
                yield from _expressions(item, f"{prefix}{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _expressions(item, f"{prefix}{index}")
