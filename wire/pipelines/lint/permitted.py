"""Whether a component's configuration reaches only for what it may (I10), found by the types of its fields."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, Union, get_args, get_origin

from wire.core.config import Secret, fields_of, is_struct
from wire.core.errors import Finding
from wire.core.paths import child
from wire.core.permissions import HINTS, Kind, Local, Permissions
from wire.core.plugins import Plugin

_SAID: Final[dict[Kind, str]] = {
    "path": "this local path is not allowed here",
    "pattern": "this local path is not allowed here",
    "python": "this Python function is not allowed here",
}


def not_permitted(plugin: Plugin, config: Any, path: str, permissions: Permissions) -> Iterator[Finding]:
    """Yield what a parsed configuration names and may not reach. Nothing is opened; messages repeat no value (I9)."""
    if plugin.terminal and permissions.paths is not None:
        message = "this component uses the terminal that Wire was started from, and a cluster has none"
        yield Finding(code="config.not_allowed", path=path, message=message, hint="use it with `wire run`")
    for where, local, text in _named(plugin.config, config, path):
        if not _allowed(local.kind, text, permissions):
            yield Finding(code="config.not_allowed", path=where, message=_SAID[local.kind], hint=HINTS[local.kind])


def _allowed(kind: Kind, text: str, permissions: Permissions) -> bool:
    match kind:
        case "path":
            return permissions.allows_path(text)
        case "pattern":
            return permissions.allows_pattern(text)
        case "python":
            return permissions.allows_python(text)


def _named(kind: Any, value: Any, path: str) -> Iterator[tuple[str, Local, str]]:
    """Yield everything local that `value` names: where, and what."""
    if value is None:
        return
    struct: Any = type(value)  # of whichever member, where the type is a union
    if is_struct(struct):
        for field in fields_of(struct):
            yield from _named(field.type, getattr(value, field.name), child(path, field.encode_name))
        return
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        text = value.reveal() if isinstance(value, Secret) else value
        for local in arguments[1:]:
            if isinstance(local, Local) and isinstance(text, str):
                yield from ((path, local, name) for name in local.named(text))
        yield from _named(arguments[0], value, path)
    elif origin in (Union, types.UnionType):
        for member in arguments:
            yield from _named(member, value, path)
    elif origin is list and isinstance(value, list):
        for i, item in enumerate(value):
            yield from _named(arguments[0], item, child(path, i))
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _named(arguments[1], item, child(path, key))
