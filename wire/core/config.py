"""Configuration as frozen structs: the one declaration from which everything about a field is made.

A component declares a `Config` struct whose fields carry their documentation (`Annotated[int, doc("…")]`). From it come
parsing, lint with paths, `wire describe`, the JSON Schema and the reference pages. Special field types:

- `Duration`, `Size`: quantities with units (`5ms`, `1MiB`).
- `Expression`: an expression of the pipeline language, compiled by the planner; `ByRecord` is `{expr: …}` where a
  literal is the usual case (`topic: str | ByRecord`).
- `Secret`: text that is masked wherever it is shown (I9).

`parse` reports every mistake at once, never just the first.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from wire.core.errors import Finding
from wire.core.units import Duration, Size

T = TypeVar("T")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all configuration structs: immutable, unknown fields refused.

    `kw_only=True` is not inherited: give it to a subclass whose required fields don't come first.
    """


def doc(text: str) -> msgspec.Meta:
    """Document a field: `Annotated[int, doc("Records per request.")]`."""
    return msgspec.Meta(description=text)


class Expression(str):
    """The text of an expression over the record, such as `upper(carrier)`."""

    __slots__ = ()


class Secret:
    """Text that must not be shown. `reveal()` gives it; everything else gives `***` (I9)."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Hide `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the text, for handing to a client library and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class ByRecord(Config):
    """A value that varies by record: `{expr: "…"}`."""

    expr: Annotated[Expression, doc("Computes the value for each record.")]


_PARSERS: Final[dict[type, Any]] = {Duration: Duration.parse, Size: Size.parse}
_WORDS: Final = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", Expression: "an expression",
    Secret: "text", type(None): "null",
}  # fmt: skip


def parse(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    """Turn plain data (as YAML or JSON gives it) into `kind`, adding every mistake to `findings`.

    Returns an object of `kind`, or None if there was any mistake in it. Messages never repeat the value, which may
    have come from a secret reference (I9).
    """
    before = len(findings)
    result = _parse(kind, data, path, findings)
    return result if len(findings) == before else None


def _parse(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    kind = _bare(kind)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _parse_union(get_args(kind), data, path, findings)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _parse_struct(kind, data, path, findings)
    if origin is list and isinstance(data, list):
        (item,) = get_args(kind)
        return [_parse(item, value, f"{path}[{i}]", findings) for i, value in enumerate(data)]
    if origin is dict and isinstance(data, dict):
        _, item = get_args(kind)
        return {str(key): _parse(item, value, f"{path}.{key}", findings) for key, value in data.items()}
    return _parse_scalar(kind, data, path, findings)


def _parse_scalar(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    if kind in _PARSERS:
        try:
            return _PARSERS[kind](data)
        except ValueError as exc:
            return _invalid(findings, path, str(exc))
    if kind in (Secret, Expression):
        if isinstance(data, str) or (kind is Expression and type(data) in (int, float, bool)):
            return kind(data if isinstance(data, str) else str(data).lower())
        return _invalid(findings, path, f"expected {_words(kind)}, found {_found(data)}")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError:
        return _invalid(findings, path, f"expected {_words(kind)}, found {_found(data)}")


def _parse_union(members: tuple[Any, ...], data: object, path: str, findings: list[Finding]) -> Any:
    if data is None and type(None) in members:
        return None
    structs = [m for m in map(_bare, members) if isinstance(m, type) and issubclass(m, msgspec.Struct)]
    others = [m for m in map(_bare, members) if m not in structs and m is not type(None)]
    if structs and isinstance(data, dict):
        chosen = structs[0] if len(structs) == 1 else _tagged(structs, data, path, findings)
        return chosen and _parse_struct(chosen, data, path, findings)
    if structs and isinstance(data, str) and not others:
        # a tagged union may be given by its tag alone: `format: csv`
        return _parse_union(members, {structs[0].__struct_config__.tag_field or "type": data}, path, findings)
    for other in others:
        attempt: list[Finding] = []
        result = _parse(other, data, path, attempt)
        if not attempt:
            return result
        if len(others) == 1 or any(f.path != path for f in attempt):
            findings.extend(attempt)
            return None
    return _invalid(findings, path, f"expected {' or '.join(_words(m) for m in others + structs)}, found {_found(data)}")


def _tagged(structs: list[Any], data: Mapping[str, object], path: str, findings: list[Finding]) -> Any:
    field = structs[0].__struct_config__.tag_field
    tags = {s.__struct_config__.tag: s for s in structs}
    tag = data.get(field)
    if isinstance(tag, str) and tag in tags:
        return tags[tag]
    return _invalid(findings, f"{path}.{field}", f"expected one of {', '.join(tags)}", suggest(tag, tags))


def _parse_struct(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    if not isinstance(data, dict):
        return _invalid(findings, path, f"expected a mapping, found {_found(data)}")
    fields = fields_of(kind)
    known = {field.encode_name: field for field in fields}
    tag_field = kind.__struct_config__.tag_field
    for key in data:
        if key not in known and key != tag_field:
            hint = suggest(key, known) or f"known here: {', '.join(sorted(known)) or 'nothing'}"
            findings.append(
                Finding(code="config.unknown_key", path=f"{path}.{key}", message=f"unknown field `{key}`", hint=hint)
            )
    values: dict[str, Any] = {}
    for field in fields:
        where = f"{path}.{field.encode_name}"
        if field.encode_name in data:
            values[field.name] = _parse(field.type, data[field.encode_name], where, findings)
        elif field.required:
            message = f"`{field.encode_name}` is required"
            findings.append(Finding(code="config.missing", path=where, message=message, hint=description(field.type)))
    if any(f.path.startswith(path) for f in findings):
        return None
    try:
        return kind(**values)
    except ValueError as exc:  # a struct's own __post_init__ checks how its fields go together
        return _invalid(findings, path, str(exc))


def fields_of(kind: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a struct with resolved types, as `wire describe` and the planner need them."""
    return msgspec.structs.fields(kind)


def description(kind: Any) -> str | None:
    """Return the documentation attached to a field's type by `doc`, None if there is none."""
    if get_origin(kind) is Annotated:
        for meta in get_args(kind)[1:]:
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
    return None


def suggest(word: object, known: typing.Iterable[str]) -> str | None:
    """Return "did you mean …?" for a misspelt word, None where nothing known is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6) if isinstance(word, str) else []
    return f"did you mean `{close[0]}`?" if close else None


def _bare(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        meta = [m for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta) and _constrains(m)]
        if meta and not isinstance(get_args(kind)[0], types.UnionType):
            return kind  # keep limits (ge=1) for msgspec.convert to check
        kind = get_args(kind)[0]
    return kind


def _constrains(meta: msgspec.Meta) -> bool:
    limits = (meta.ge, meta.gt, meta.le, meta.lt, meta.min_length, meta.max_length, meta.pattern, meta.multiple_of)
    return any(limit is not None for limit in limits)


def _invalid(findings: list[Finding], path: str, message: str, hint: str | None = None) -> None:
    findings.append(Finding(code="config.invalid", path=path, message=message, hint=hint))


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Annotated:
        limits = [m for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta)]
        bounds = [f" {sign} {value}" for m in limits for sign, value in (("≥", m.ge), ("≤", m.le), (">", m.gt)) if value is not None]
        return _words(get_args(kind)[0]) + " and".join(bounds)
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(kind))
    if origin is list:
        return f"a list of {_words(_bare(get_args(kind)[0]))}"
    if origin is dict:
        return "a mapping"
    if origin in (Union, types.UnionType):
        return " or ".join(_words(member) for member in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "a mapping"
    return str(_WORDS.get(kind, getattr(kind, "__name__", str(kind)).lower()))


def _found(data: object) -> str:
    if isinstance(data, dict):
        return "a mapping"
    if isinstance(data, list):
        return "a list"
    return "null" if data is None else _WORDS.get(type(data), type(data).__name__)
