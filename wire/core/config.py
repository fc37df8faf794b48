"""Configuration as frozen structs: the one declaration from which everything about a field is made.

A component declares a `Config` struct whose fields carry their documentation (`Annotated[int, doc("…")]`). From it come
parsing, lint with paths, `wire describe`, the JSON Schema and the reference pages. Special field types:

- `Duration`, `Size`, `Rate`, `Quota`: quantities with units (`5ms`, `1MiB`, `5000/s`, `1%/1m`).
- `Expression`: an expression of the pipeline language, compiled by the planner; `ByRecord` is `{expr: …}` where a
  literal is the usual case (`topic: str | ByRecord`).
- `Secret`: text that is masked wherever it is shown (I9).

`parse` reports every mistake at once, never just the first.
"""

from __future__ import annotations

import datetime
import difflib
import functools
import re
import types
import typing
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from wire.core.errors import Finding
from wire.core.paths import child
from wire.core.references import Resolved
from wire.core.units import Duration, Quota, Rate, Size

T = TypeVar("T")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all configuration structs: immutable, unknown fields refused.

    Subclasses repeat `frozen=True` (type checkers ask for it), and `kw_only=True` where a required field comes late.
    """


class MisfitError(ValueError):
    """Raised by a struct's `__post_init__`: its fields don't go together."""

    def __init__(self, message: str, hint: str) -> None:
        """Make an error. It is reported at the field a message begins with, as in "`topics` is empty"."""
        super().__init__(message)
        self.hint = hint


def doc(text: str) -> msgspec.Meta:
    """Attach documentation to a field's type.

    As in `count: Annotated[int, doc("How many records.")]`; the text is a sentence.
    """
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


class ByRecord(Config, frozen=True):
    """A value that varies by record: `{expr: "…"}`."""

    expr: Annotated[Expression, doc("Computes the value for each record.")]


_PARSERS: Final[dict[type, Any]] = {kind: kind.parse for kind in (Duration, Size, Rate, Quota)}
_WORDS: Final = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", Expression: "an expression",
    Secret: "text", datetime.datetime: "a time such as 2024-05-01T00:00:00Z", type(None): "null",
    Duration: "a duration such as 5s", Size: "a size such as 64KiB", Rate: "a rate such as 5000/s, 10MiB/s",
    Quota: "a number or a percentage within a time such as 1%/1m",
}  # fmt: skip
_TRUE_BEFORE_YAML_1_2: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def parse(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    """Turn plain data (as YAML or JSON gives it) into `kind`, adding every mistake to `findings`.

    Returns an object of `kind`, or None if there was any mistake in it. Messages never repeat the value, which may
    have come from a secret reference (I9).
    """
    before = len(findings)
    result = _parse(kind, data, path, findings)
    return result if len(findings) == before else None


def _parse(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    origin = get_origin(kind)
    if origin is Annotated:
        return _parse_limited(kind, data, path, findings)
    if origin in (Union, types.UnionType):
        return _parse_union(kind, data, path, findings)
    if is_struct(kind):
        return _parse_struct(kind, data, path, findings)
    if origin is list and isinstance(data, list):
        (item,) = get_args(kind)
        return [_parse(item, value, child(path, i), findings) for i, value in enumerate(data)]
    if origin is dict and isinstance(data, dict):
        _, item = get_args(kind)
        return {key: _parse(item, value, child(path, key), findings) for key, value in data.items()}
    return _parse_scalar(kind, data, path, findings)


def _parse_limited(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    inner, *notes = get_args(kind)
    before = len(findings)
    result = _parse(inner, data, path, findings)
    if len(findings) > before or result is None:
        return result
    for meta in notes:
        if isinstance(meta, msgspec.Meta) and not _within(meta, result):
            if meta.pattern and meta.description:  # which says the same, for people
                return _invalid(findings, path, f"expected {_as_clause(meta.description)}")
            return _invalid(findings, path, f"expected {_words(kind)}")
    return result


def _as_clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _within(meta: msgspec.Meta, value: Any) -> bool:
    return (
        (meta.ge is None or value >= meta.ge)
        and (meta.gt is None or value > meta.gt)
        and (meta.le is None or value <= meta.le)
        and (meta.lt is None or value < meta.lt)
        and (meta.multiple_of is None or value % meta.multiple_of == 0)
        and (meta.min_length is None or len(value) >= meta.min_length)
        and (meta.max_length is None or len(value) <= meta.max_length)
        and (meta.pattern is None or re.search(meta.pattern, value) is not None)
    )


def _parse_scalar(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    if kind in _PARSERS:
        try:
            return _PARSERS[kind](data)
        except ValueError as exc:
            return _invalid(findings, path, str(exc))
    if kind is Expression:
        return _parse_expression(data, path, findings)
    if kind is Secret:
        return Secret(str(data)) if isinstance(data, str) else _mismatch(kind, data, path, findings)
    given = str(data) if isinstance(data, Resolved) else data  # whose text may stand for a number: `${env:PORT}`
    try:
        value = msgspec.convert(given, kind, strict=given is data)
    except msgspec.ValidationError:
        return _mismatch(kind, data, path, findings)
    return _invalid(findings, path, "expected a finite number") if kind is float and value - value != 0 else value


def _parse_expression(data: object, path: str, findings: list[Finding]) -> Any:
    if isinstance(data, Resolved):  # I10: what an environment variable holds is a value, never a program
        hint = "select the value into a field with `python:`, or write it here"
        return _invalid(findings, path, "a reference can't be part of an expression", hint)
    if isinstance(data, str):
        return Expression(data)
    if isinstance(data, bool | int | float):
        return Expression(str(data).lower())
    return _mismatch(Expression, data, path, findings)


def _parse_union(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    members = [_stripped(member) for member in get_args(kind)]
    if data is None and type(None) in members:
        return None
    structs = [m for m in members if is_struct(m)]
    if structs and isinstance(data, dict):
        chosen = structs[0] if len(structs) == 1 else _tagged(structs, data.get(_tag_field(structs)), path, findings)
        return chosen and _parse_struct(chosen, data, path, findings)
    others = [m for m in get_args(kind) if _stripped(m) not in structs and m is not type(None)]
    if structs and isinstance(data, str) and not others and _tag_field(structs):
        # a tagged union may be given by its tag alone: `format: csv`
        chosen = _tagged(structs, data, path, findings)
        return chosen and _parse_struct(chosen, {}, path, findings)
    attempts: list[list[Finding]] = []
    for other in others:
        attempts.append([])
        result = _parse(other, data, path, attempts[-1])
        if not attempts[-1]:
            return result
    # the member that got furthest knows best what is wrong: a list whose third item is bad is a list
    inner = next((attempt for attempt in attempts if any(f.path != path for f in attempt)), None)
    if inner or (len(attempts) == 1 and not structs):
        findings.extend(inner or attempts[0])
        return None
    return _mismatch(kind, data, path, findings)


def _tag_field(structs: list[Any]) -> Any:
    return structs[0].__struct_config__.tag_field


def _tagged(structs: list[Any], tag: object, path: str, findings: list[Finding]) -> Any:
    tags = {struct.__struct_config__.tag: struct for struct in structs}
    if isinstance(tag, str) and str(tag) in tags:
        return tags[str(tag)]
    field, expected = _tag_field(structs), f"one of {', '.join(tags)}"
    if tag is None:
        _missing(findings, child(path, field), field, f"say which kind it is: {expected}")
        return None
    return _invalid(findings, path, f"expected {expected}", suggest(tag, tags))


def _parse_struct(kind: Any, data: object, path: str, findings: list[Finding]) -> Any:
    if not isinstance(data, dict):
        return _mismatch(kind, data, path, findings)
    before = len(findings)
    fields = fields_of(kind)
    known = {field.encode_name: field for field in fields}
    unknown = [key for key in data if key not in known and key != kind.__struct_config__.tag_field]
    misspelt = {_unknown(findings, child(path, key), key, known) for key in unknown}
    values: dict[str, Any] = {}
    for field in fields:
        where = child(path, field.encode_name)
        if field.encode_name in data:
            values[field.name] = _parse(field.type, data[field.encode_name], where, findings)
        elif field.required and field.encode_name not in misspelt:
            _missing(findings, where, field.encode_name, description(field.type))
    if len(findings) > before:
        return None
    try:
        return kind(**values)
    except ValueError as exc:  # a struct's own __post_init__ checks how its fields go together
        return _invalid(findings, _place_of(str(exc), path, known), str(exc), getattr(exc, "hint", None))


def _place_of(message: str, path: str, known: typing.Container[str]) -> str:
    """Return the path of the field a message begins with, or else that of the struct."""
    name = message[1:].partition("`")[0] if message.startswith("`") else ""
    return child(path, name) if name in known else path


def is_struct(kind: Any) -> bool:
    """Say whether a field's type is a struct, with fields of its own."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


@functools.cache  # to resolve the types takes three times as long as all else that lint does
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
    close = closest(word, known)
    return f"did you mean `{close}`?" if close else None


def closest(word: object, known: typing.Iterable[str]) -> str | None:
    """Return the known word that was probably meant, None where nothing known is close."""
    if not isinstance(word, str):
        return None
    by_form = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), list(by_form), n=1, cutoff=0.6)
    return by_form[close[0]] if close else None


def _stripped(kind: Any) -> Any:
    return _stripped(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _invalid(findings: list[Finding], path: str, message: str, hint: str | None = None) -> None:
    findings.append(Finding(code="config.invalid", path=path, message=message, hint=hint))


def _missing(findings: list[Finding], path: str, name: str, hint: str | None) -> None:
    findings.append(Finding(code="config.missing", path=path, message=f"`{name}` is required", hint=hint))


def _unknown(findings: list[Finding], path: str, key: str, known: typing.Iterable[str]) -> str | None:
    """Report an unknown field and return the field that was probably meant."""
    hint = suggest(key, known) or f"known here: {', '.join(sorted(known)) or 'nothing'}"
    findings.append(Finding(code="config.unknown_key", path=path, message=f"unknown field `{key}`", hint=hint))
    return closest(key, known)


def _mismatch(kind: Any, data: object, path: str, findings: list[Finding]) -> None:
    expected, found = _words(kind), _found(data)
    told = any(f"{part} ".startswith(f"{found} ") for part in expected.split(" or "))
    told = told or (isinstance(data, str) and _takes_words(kind))
    _invalid(findings, path, f"expected {expected}{'' if told else f', found {found}'}", _mend(_stripped(kind), data))


def _takes_words(kind: Any) -> bool:
    """Say whether only certain words are taken, so that "found text" would say nothing."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return any(get_origin(_stripped(member)) is Literal for member in members)


def _mend(kind: Any, data: object) -> str | None:
    """Say how a value of the wrong kind would be written right, where that is likely to be what was meant."""
    if kind in (str, Secret) and isinstance(data, bool | int | float):
        return "put it in quotes"
    if kind is bool and isinstance(data, str) and not isinstance(data, Resolved):
        word = _TRUE_BEFORE_YAML_1_2.get(data.lower(), data.lower())
        return f"write {word}, without quotes" if word in ("true", "false") else None
    if kind in (int, float) and isinstance(data, str) and not isinstance(data, Resolved):
        plain = "write it without quotes" if _NUMBER.fullmatch(data) else "write plain digits, without quotes"
        return plain if data[:1].isdecimal() else None
    if get_origin(kind) is list and not isinstance(data, list | dict) and data is not None:
        return "write it as a list: [ … ], or one item per line after `- `"
    if is_struct(kind):
        fields = ", ".join(field.encode_name for field in fields_of(kind))
        mend = "remove the `- ` before its fields" if isinstance(data, list) else "write its fields below it"
        return f"{mend}: {fields}" if data is not None else None
    if get_origin(kind) is dict and data is not None:
        return "write it as a mapping: {name: value}, or one `name: value` per line"
    if get_origin(kind) is Literal and isinstance(data, str):
        return suggest(data, map(str, get_args(kind)))
    if get_origin(kind) in (Union, types.UnionType):
        return next(filter(None, (_mend(_stripped(m), data) for m in get_args(kind) if not is_struct(m))), None)
    return None


_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Annotated:
        limits = [limit for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta) for limit in _limits(meta)]
        return _words(get_args(kind)[0]) + "".join(f" {limit}" for limit in limits[:1]) + "".join(
            f" and {limit}" for limit in limits[1:]
        )  # fmt: skip
    if origin is Literal:
        values = [str(value) for value in get_args(kind)]
        return f"one of {', '.join(values)}" if len(values) > 1 else f"`{values[0]}`"
    if origin is list:
        item = _words(_stripped(get_args(kind)[0]))
        if get_args(kind)[0] is Any:
            return "a list"
        return f"a list of {item.removeprefix('a ')}s" if item.startswith("a ") else f"a list of {item}"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(member) for member in get_args(kind) if member is not type(None)))
    if origin is dict or is_struct(kind):
        return "a mapping"
    return str(_WORDS.get(kind, getattr(kind, "__name__", str(kind)).lower()))


def _limits(meta: msgspec.Meta) -> list[str]:
    numbers = {"≥": meta.ge, ">": meta.gt, "≤": meta.le, "<": meta.lt, "divisible by": meta.multiple_of}
    texts = {"of at least length": meta.min_length, "of at most length": meta.max_length, "matching": meta.pattern}
    return [f"{words} {limit}" for words, limit in (numbers | texts).items() if limit is not None]


def _found(data: object) -> str:
    if isinstance(data, Resolved):
        return "other text"
    if isinstance(data, dict):
        return "a mapping"
    if isinstance(data, list):
        return "a list"
    return "null" if data is None else _WORDS.get(type(data), type(data).__name__)
