"""What a configuration struct says of itself: the fields with type, default and documentation, for people to read.

`wire describe` and the reference pages are made from this; the JSON Schema, for editors, comes from
`wire.pipelines.schema`.
"""

from __future__ import annotations

import datetime
import enum
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from wire.core.config import ByRecord, Expression, Secret, description, fields_of, is_struct
from wire.core.plugins import Plugin
from wire.core.units import Duration, Quota, Rate, Size


class FieldDoc(Struct, frozen=True, kw_only=True):
    """One field. `name` is dotted from the component's configuration; `[]` stands for the items of a list.

    `default` is as one would write it, None where the field is required or has none.
    """

    name: str
    type: str
    required: bool
    default: str | None
    description: str


def describe(kind: Any) -> list[FieldDoc]:
    """Return the fields of a configuration type, those of nested structs after the field that holds them.

    A type that is not a struct (a transform may take a single expression or a list) gives an entry with an empty name
    first.
    """
    if is_struct(kind):
        return list(_fields(kind, ""))
    whole = FieldDoc(name="", type=words(kind), required=True, default=None, description=description(kind) or "")
    below = [msgspec.structs.replace(field, name=field.name.removeprefix(".")) for field in _nested(kind, "")]
    return [whole, *below]


def example(name: str, plugin: Plugin) -> str:
    """Return a component's example as it stands in a pipeline: below `source:`, `sink:` or `transforms:`."""
    lines = plugin.example.strip("\n").splitlines()
    if plugin.kind == "transform":
        lines = ["transforms:", *(f"  {'-' if i == 0 else ' '} {line}" for i, line in enumerate(lines))]
    elif not lines:
        lines = [f"{plugin.kind}:", f"  type: {name}"]
    elif lines[0].rstrip() != f"{plugin.kind}:":
        lines = [f"{plugin.kind}:", *(f"  {line}".rstrip() for line in lines)]
    return "\n".join([*lines, ""])


def _fields(kind: Any, prefix: str) -> Iterator[FieldDoc]:
    for field in fields_of(kind):
        default = default_of(field)
        name = prefix + field.encode_name
        yield FieldDoc(
            name=name,
            type=words(field.type) + (" or null" if default is not None and _takes_null(field.type) else ""),
            required=field.required,
            default=None
            if field.required or default is None or _shown_by_fields(field.type, default)
            else inline(default),
            description=description(field.type) or _summary(field.type),
        )
        yield from _nested(field.type, name)


def _nested(kind: Any, name: str) -> Iterator[FieldDoc]:
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _nested(get_args(kind)[0], name)
    elif origin in (Union, types.UnionType):
        for member in get_args(kind):
            yield from _nested(member, name)
    elif origin is list:
        yield from _nested(get_args(kind)[0], f"{name}[]")
    elif origin is dict:
        yield from _nested(get_args(kind)[1], f"{name}.*")
    elif is_struct(kind) and kind is not ByRecord:
        tag = kind.__struct_config__.tag
        for field in _fields(kind, f"{name}."):
            yield msgspec.structs.replace(field, description=f"({tag}) {field.description}") if tag else field


def _takes_null(kind: Any) -> bool:
    """Say whether null is a value of its own; where it is the default, it only means that the field is absent."""
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_origin(inner) in (Union, types.UnionType) and type(None) in get_args(inner)


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """Return a field's default value, None where it has none."""
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return None if field.default is NODEFAULT else field.default


def _shown_by_fields(kind: Any, default: Any) -> bool:
    """Say whether a struct's defaults are those of its own fields, which are listed anyway."""
    return isinstance(default, Struct) and default.__struct_config__.tag is None


def _summary(kind: Any) -> str:
    """Return the first sentence of a struct's docstring, for a field that has no documentation of its own."""
    text = (kind.__doc__ or "") if is_struct(kind) else ""
    return " ".join(text.split("\n\n")[0].split())


def plain(value: Any) -> Any:
    """Return a configuration value as plain data, the way it would be written; secrets are masked (I9)."""
    if isinstance(value, Struct):
        tag_field, tag = value.__struct_config__.tag_field, value.__struct_config__.tag
        fields = {field.encode_name: plain(getattr(value, field.name)) for field in fields_of(type(value))}
        given = {name: content for name, content in fields.items() if content is not None}
        return {tag_field: tag, **given} if tag_field else given
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Duration | Size | Rate | Quota | Secret):
        return str(value)
    return str(value) if isinstance(value, Expression) else value


def inline(value: Any) -> str:
    """Return a default as it would be written in one line of YAML."""
    if isinstance(value, Struct) and value.__struct_config__.tag and value == type(value)():
        return str(value.__struct_config__.tag)
    return _flow(plain(value))


def _flow(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) and not value.strip("\t ,") else str(value)


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "anything",
    Expression: "expression",
    Secret: "secret text",
    datetime.datetime: "time",
    Duration: "duration",
    Size: "size",
    Rate: "rate",
    Quota: "number or percentage per time",
    ByRecord: "{expr: expression}",
}
_COUNTABLE = ("whole number", "number", "expression", "duration", "size", "mapping", "list")


def words(kind: Any) -> str:
    """Return the name of a type as the documentation uses it: `list of text`, `whole number ≥ 1`, `a, b or c`."""
    origin = get_origin(kind)
    if origin is Annotated:
        limits = [limit for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta) for limit in _limits(meta)]
        return f"{words(get_args(kind)[0])} {', '.join(limits)}".rstrip()
    if origin is Literal:
        return _either([f"`{value}`" for value in get_args(kind)])
    if origin in (Union, types.UnionType):
        tags = [f"`{member.__struct_config__.tag}`" for member in get_args(kind) if _tag(member)]
        others = [words(member) for member in get_args(kind) if member is not type(None) and not _tag(member)]
        return _either([*others, *tags])
    if origin is list:
        return f"list of {_plural(words(get_args(kind)[0]))}"
    if origin is dict:
        return f"mapping of {_plural(words(get_args(kind)[1]))}"
    return _WORDS.get(kind, "mapping" if is_struct(kind) else getattr(kind, "__name__", str(kind)))


def _tag(kind: Any) -> Any:
    return kind.__struct_config__.tag if is_struct(kind) else None


def _either(options: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(options[:-1]), options[-1])))


def _plural(name: str) -> str:
    first, space, rest = name.partition(" of ")
    return f"{first}s{space}{rest}" if first in _COUNTABLE else name


def _limits(meta: msgspec.Meta) -> list[str]:
    signs = (("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt))
    return [f"{sign} {limit}" for sign, limit in signs if limit is not None]
