"""Where the secrets are in a document, found by the types of its components' fields (I9)."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, Union, get_args, get_origin

from wire.core.config import Secret, fields_of, is_struct
from wire.core.paths import ROOT, child
from wire.core.references import REFERENCE

MASK: Final = "***"

_TELLING_NAME = re.compile(r"pa?s+w|pwd|secret|token|credential|api_?-?key|private", re.IGNORECASE)
_TELLING_LINE = re.compile(rf"""(["']?[\w.-]*(?:{_TELLING_NAME.pattern})[\w.-]*["']?\s*[:=]\s*)(.*)""", re.IGNORECASE)


def secret_paths(kind: Any, data: Any, path: str) -> Iterator[str]:
    """Yield the paths of the values in plain `data` that a field of type `Secret` takes.

    Where a field is not known, because its name is misspelt, its name decides.
    """
    origin = get_origin(kind)
    if origin is Annotated:
        yield from secret_paths(get_args(kind)[0], data, path)
    elif origin in (Union, types.UnionType):
        for member in get_args(kind):
            yield from secret_paths(member, data, path)
    elif kind is Secret:
        yield from (where for where, _ in scalars(data, path))
    elif origin is list and isinstance(data, list):
        for i, item in enumerate(data):
            yield from secret_paths(get_args(kind)[0], item, child(path, i))
    elif origin is dict and isinstance(data, dict):
        for key, item in data.items():
            yield from secret_paths(get_args(kind)[1], item, child(path, key))
    elif is_struct(kind) and isinstance(data, dict):
        yield from _in_struct(kind, data, path)


def _in_struct(kind: Any, data: dict[str, Any], path: str) -> Iterator[str]:
    known = {field.encode_name: field.type for field in fields_of(kind)}
    for key, item in data.items():
        if key in known:
            yield from secret_paths(known[key], item, child(path, key))
        else:
            yield from telling_paths({key: item}, path)


def telling_paths(data: Any, path: str) -> Iterator[str]:
    """Yield the paths of values whose field's name sounds like a secret, for a component nothing is known about."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in items:
        where = child(path, key)
        if isinstance(item, dict | list):
            yield from telling_paths(item, where)
        elif isinstance(key, str) and _TELLING_NAME.search(key):
            yield where


def scalars(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every value without parts in `data`, with its path."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from scalars(value, child(path, key))
    elif data is not None:
        yield path, data


def is_reference(value: object) -> bool:
    """Say whether a value is one reference and nothing else, which may be shown."""
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def masked(tree: Any, secrets: frozenset[str], path: str = ROOT) -> Any:
    """Return a copy of `tree` with the values at `secrets` masked, references excepted."""
    if isinstance(tree, dict):
        return {key: masked(value, secrets, child(path, key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [masked(value, secrets, child(path, i)) for i, value in enumerate(tree)]
    return MASK if path in secrets and not is_reference(tree) else tree


def masked_line(line: str) -> str:
    """Mask what follows a name that sounds like a secret, for text that could not be read as a document."""
    return _TELLING_LINE.sub(lambda match: match[1] + "*" * len(match[2]), line)
