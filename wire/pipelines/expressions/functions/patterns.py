"""LIKE and regular expressions. Everything runs on RE2: time linear in the text, whatever the pattern (I10)."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import re2

from wire.core.errors import RecordError
from wire.pipelines.expressions.errors import domain
from wire.pipelines.expressions.functions.declare import integer, text
from wire.pipelines.expressions.functions.strings import lower, too_long
from wire.pipelines.expressions.tree import Function
from wire.pipelines.expressions.values import MAX_TEXT, Kind

MAX_PATTERN: Final = 4096
_OPTIONS: Final = frozenset("cilmnpsg")
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that continue a character."""


@functools.lru_cache(256)
def regex(pattern: str, options: str = "") -> Any:
    """Return the compiled pattern, for text in UTF-8. Fails with expression.domain for one RE2 does not take."""
    if len(pattern) > MAX_PATTERN:
        raise domain(f"the pattern is longer than {MAX_PATTERN} characters")
    unknown = set(options) - _OPTIONS
    if unknown:
        raise domain(f"{min(unknown)!r} is no regular expression option; there are c, i, l, m, n, p, s and g")
    flags = re2.Options()
    flags.log_errors = False
    flags.case_sensitive = "i" not in options
    flags.literal = "l" in options
    flags.dot_nl = "s" in options
    try:
        return re2.compile(pattern.encode(), flags)
    except (re2.error, UnicodeEncodeError) as exc:
        reason = exc.args[0].decode(errors="replace") if isinstance(exc.args[0], bytes) else str(exc.args[0])
        hint = "patterns are RE2's: no look-around and no backreferences"
        raise RecordError("expression.domain", f"not a regular expression: {reason}", hint=hint) from None


def _utf8(string: str) -> bytes:
    try:
        return string.encode()
    except UnicodeEncodeError:
        raise domain("the text is not valid Unicode") from None


def regexp_matches(string: str, pattern: str, options: str = "") -> bool:
    """Return whether the pattern occurs."""
    return regex(pattern, options).search(_utf8(string)) is not None


def regexp_full_match(string: str, pattern: str, options: str = "") -> bool:
    """Return whether the pattern fits the whole text."""
    return regex(pattern, options).fullmatch(_utf8(string)) is not None


def regexp_extract(string: str, pattern: str, group: int = 0, options: str = "") -> str:
    """Return a group of the first match, empty if there is none."""
    match = regex(pattern, options).search(_utf8(string))
    return _group(match, group) if match else ""


def _group(match: Any, group: int) -> str:
    return (match[group] or b"").decode() if 0 <= group <= match.re.groups else ""


def _matches(pattern: Any, data: bytes) -> Iterator[Any]:
    """Yield every match; an empty one within a character, where stepping by bytes leads, is none."""
    for match in pattern.finditer(data):
        at = match.start()
        if at == len(data) or data[at] & 0xC0 != 0x80:
            yield match


def regexp_extract_all(string: str, pattern: str, group: int = 0, options: str = "") -> list[str]:
    """Return a group of every match."""
    return [_group(match, group) for match in _matches(regex(pattern, options), _utf8(string))]


def regexp_replace(string: str, pattern: str, replacement: str, options: str = "") -> str:
    r"""Replace the first match, or with option g all of them; `\1` stands for a group."""
    data, template = _utf8(string), _template(replacement)
    pieces, end, size, last = [], 0, 0, -1
    for match in _matches(regex(pattern, options), data):
        if match.start() == match.end() == last:
            continue  # an empty match right behind another is part of it, as in RE2's own replace
        last = match.end()
        new = b"".join(piece if isinstance(piece, bytes) else _checked_group(match, piece) for piece in template)
        pieces += [data[end : match.start()], new]
        end, size = last, size + len(new)
        if size > MAX_TEXT:
            raise too_long()
        if "g" not in options:
            break
    return b"".join([*pieces, data[end:]]).decode()


def _checked_group(match: Any, group: int) -> bytes:
    if group > match.re.groups:
        raise domain(f"the replacement uses group {group}, the pattern has {match.re.groups}")
    return match[group] or b""


@functools.lru_cache(256)
def _template(replacement: str) -> tuple[bytes | int, ...]:
    pieces: list[bytes | int] = []
    characters = iter(replacement)
    for character in characters:
        if character != "\\":
            pieces.append(_utf8(character))
            continue
        escaped = next(characters, "")
        if escaped.isascii() and escaped.isdigit():
            pieces.append(int(escaped))
        elif escaped == "\\":
            pieces.append(b"\\")
        else:
            raise domain("in a replacement, a backslash is followed by a digit or a backslash")
    return tuple(pieces)


def regexp_escape(string: str) -> str:
    """Return text as a pattern that matches it."""
    return bytes(re2.escape(_utf8(string))).decode()


def regexp_split(string: str, pattern: str, options: str = "") -> list[str]:
    """Split at every match."""
    data = _utf8(string)
    compiled, pieces, begin = regex(pattern, options), [], 0
    while match := compiled.search(data, begin):
        start, end = match.span()
        if start == end == begin:  # nothing to split at: go on behind one character
            start = end = (
                begin + 1 + len(data[begin + 1 : begin + 4]) - len(data[begin + 1 : begin + 4].lstrip(_CONTINUATION))
            )
        if start >= len(data):
            break
        pieces.append(data[begin:start])
        begin = end
    return [piece.decode() for piece in [*pieces, data[begin:]]]


def like(string: str, pattern: str) -> bool:
    """Return whether text is LIKE a pattern: `%` any characters, `_` one."""
    return bool(_like(pattern, "")(string))


def ilike(string: str, pattern: str) -> bool:
    """Return whether text is LIKE a pattern in either case."""
    return bool(_like(lower(pattern), "")(lower(string)))


def like_escape(string: str, pattern: str, escape: str) -> bool:
    """LIKE with a character that makes the next one plain."""
    return bool(_like(pattern, escape)(string))


def ilike_escape(string: str, pattern: str, escape: str) -> bool:
    """ILIKE with a character that makes the next one plain."""
    return bool(_like(lower(pattern), lower(escape))(lower(string)))


@functools.lru_cache(256)
def _like(pattern: str, escape: str) -> Callable[[str], Any]:
    if len(escape) > 1:
        raise domain("ESCAPE takes one character")
    parts = _like_parts(pattern, escape)
    source = "".join("(?s:.*)" if part == "%" else "(?s:.)" if part == "_" else re.escape(part[1]) for part in parts)
    plain = "".join(part[1] for part in parts if part not in ("%", "_"))
    if "_" not in parts:
        match [part if part == "%" else "x" for part in parts]:
            case [*body] if "%" not in body:
                return plain.__eq__
            case ["%", *body, "%"] if "%" not in body:
                return lambda string: plain in string
            case [*body, "%"] if "%" not in body:
                return lambda string: string.startswith(plain)
            case ["%", *body] if "%" not in body:
                return lambda string: string.endswith(plain)
    compiled = regex(source)
    return lambda string: compiled.fullmatch(_utf8(string)) is not None


def _like_parts(pattern: str, escape: str) -> list[str]:
    """Return `%`, `_`, and plain characters each behind a mark, so that they can't be taken for the other two."""
    parts: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            plain = next(characters, None)
            if plain is None:
                raise domain("the pattern must not end with the escape character")
            parts.append("=" + plain)
        elif character == "%":
            parts += [] if parts and parts[-1] == "%" else ["%"]
        else:
            parts.append("_" if character == "_" else "=" + character)
    return parts


def glob(string: str, pattern: str) -> bool:
    """Return whether text fits a shell pattern: `*`, `?`, `[abc]`, `[!a-z]`."""
    return regexp_full_match(string, _glob_source(pattern))


@functools.lru_cache(256)
def _glob_source(pattern: str) -> str:
    source, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        close = pattern.find("]", at + 2) if character == "[" else -1
        if close > 0:
            members = pattern[at + 1 : close].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            source += f"[^{members[1:]}]" if members[0] == "!" and len(members) > 1 else f"[{members}]"
            at = close
        else:
            source += {"*": "(?s:.*)", "?": "(?s:.)"}.get(character) or re.escape(character)
        at += 1
    return source


_S: Final = text("string")
_P: Final = text("pattern")
_O: Final = text("options")
_CHECK: Final = {1: regex}


def _match(name: str, impl: Any, doc: str, example: tuple[str, str]) -> Function:
    return Function(
        name=name, args=(_S, _P, _O), required=2, impl=impl, returns=Kind.BOOL, checks=_CHECK, doc=doc, example=example
    )


def _pattern_operator(name: str, impl: Any, checks: dict[int, Callable[[Any], object]] | None = None) -> Function:
    return Function(name=name, args=(_S, _P), impl=impl, returns=Kind.BOOL, checks=checks or {})


LIKE: Final = _pattern_operator("LIKE", like)
ILIKE: Final = _pattern_operator("ILIKE", ilike)
SIMILAR_TO: Final = _pattern_operator("SIMILAR TO", regexp_full_match, {1: regex})
GLOB: Final = _pattern_operator("GLOB", glob)
ESCAPING: Final = {
    "LIKE": Function(name="LIKE ESCAPE", args=(_S, _P, text("escape")), impl=like_escape, returns=Kind.BOOL),
    "ILIKE": Function(name="ILIKE ESCAPE", args=(_S, _P, text("escape")), impl=ilike_escape, returns=Kind.BOOL),
}
REGEXP_MATCHES: Final = _match(
    "regexp_matches",
    regexp_matches,
    "Whether a pattern occurs in text. Also `x ~ pattern`.",
    ("regexp_matches('abc', 'b+')", "true"),
)
_GROUP_ARGS: Final = (_S, _P, integer("group"), _O)
FUNCTIONS: Final = (
    REGEXP_MATCHES,
    _match("regexp_full_match", regexp_full_match, "Whether a pattern fits the whole text. Also `x SIMILAR TO pattern`.", ("regexp_full_match('abc', 'b')", "false")),
    Function(name="regexp_extract", args=_GROUP_ARGS, required=2, impl=regexp_extract, returns=Kind.TEXT, checks=_CHECK, doc="A group of the first match (0: all of it), empty if there is none.", example=("regexp_extract('ab12', '([a-z]+)([0-9]+)', 2)", "'12'")),
    Function(name="regexp_extract_all", args=_GROUP_ARGS, required=2, impl=regexp_extract_all, returns=Kind.LIST, checks=_CHECK, doc="A group of every match.", example=("regexp_extract_all('a1b2', '[0-9]')", "['1', '2']")),
    Function(name="regexp_replace", args=(_S, _P, text("replacement"), _O), required=3, impl=regexp_replace, returns=Kind.TEXT, checks={1: regex, 2: _template}, doc="Replace the first match, with option `g` all; `\\1` is a group.", example=("regexp_replace('a1b2', '[0-9]', '#', 'g')", "'a#b#'")),
    Function(name="regexp_split_to_array", args=(_S, _P, _O), required=2, impl=regexp_split, returns=Kind.LIST, checks=_CHECK, aliases=("string_split_regex", "str_split_regex"), doc="Split at every match.", example=("regexp_split_to_array('a1b2c', '[0-9]')", "['a', 'b', 'c']")),
    Function(name="regexp_escape", args=(_S,), impl=regexp_escape, returns=Kind.TEXT, doc="Text as a pattern that matches it.", example=("regexp_escape('a.b')", "'a\\.b'")),
)  # fmt: skip
