"""Text functions. Positions count characters from 1; negative positions count from the end."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import unicodedata
from typing import Any, Final

from wire.core.errors import RecordError
from wire.pipelines.expressions.errors import domain, mismatch, overflow
from wire.pipelines.expressions.functions.declare import any_value, integer, text
from wire.pipelines.expressions.texts import to_text
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import MAX_TEXT, Kind, type_name


def too_long() -> RecordError:
    """Return the failure for text larger than functions may build."""
    return RecordError("expression.overflow", f"the text would be longer than {MAX_TEXT} characters")


def upper(string: str) -> str:
    """Upper-case character by character, as DuckDB does: the length never changes."""
    return string.upper() if string.isascii() else "".join(map(_upper_character, string))


def _upper_character(character: str) -> str:
    changed = character.upper()
    return changed if len(changed) == 1 else "ẞ" if character == "ß" else character


def lower(string: str) -> str:
    """Lower-case character by character."""
    return string.lower() if string.isascii() else "".join(character.lower()[0] for character in string)


def strip_accents(string: str) -> str:
    """Drop the accents of letters."""
    decomposed = unicodedata.normalize("NFD", string)
    return unicodedata.normalize("NFC", "".join(each for each in decomposed if not unicodedata.combining(each)))


def reverse(string: str) -> str:
    """Return the characters in reverse order, accents staying with their letters."""
    clusters: list[str] = []
    for character in string:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return "".join(reversed(clusters))


def substring(string: str, start: int, length: int | None = None) -> str:
    """Return `length` characters from `start`; a negative length takes those before it."""
    check_offsets(start, length or 0)
    size = len(string)
    begin = start - 1 if start > 0 else size + start if start < 0 else -1
    if length is None:
        return string[max(begin, 0) :]
    end = begin + length
    if length < 0:
        begin, end = end, begin
    return string[max(begin, 0) : max(end, 0)]


def check_offsets(*offsets: int) -> None:
    """Fail for a position or length in text beyond 32 bits, as DuckDB does."""
    if any(not -_MAX_OFFSET - 1 <= offset <= _MAX_OFFSET for offset in offsets):
        raise overflow("the position or length in the text")


def left(string: str, count: int) -> str:
    """Return the first `count` characters, or all but the last ones."""
    check_offsets(max(count, 0))
    return string[:count]


def right(string: str, count: int) -> str:
    """Return the last `count` characters, or all but the first ones."""
    return string[-count:] if count else ""


def split_part(string: str, separator: str, index: int) -> str:
    """Return one part of a split, empty beyond the ends."""
    parts = split(string, separator)
    if index == 0 or abs(index) > len(parts):
        return ""
    return parts[index - 1 if index > 0 else index]


def split(string: str, separator: str) -> list[str]:
    """Split into parts; an empty separator gives single characters."""
    return string.split(separator) if separator else list(string) or [""]


def replace(string: str, source: str, target: str) -> str:
    """Replace every occurrence."""
    if not source:
        return string
    growth = len(target) - len(source)
    if growth > 0 and len(string) + string.count(source) * growth > MAX_TEXT:
        raise too_long()
    return string.replace(source, target)


def repeat(string: str, count: int) -> str:
    """Repeat text; not at all for a negative count."""
    if len(string) * count > MAX_TEXT:
        raise too_long()
    return string * max(count, 0) if string else ""


def _padding(string: str, size: int, fill: str) -> str:
    missing = size - len(string)
    if size > MAX_TEXT:
        raise too_long()
    if not fill:
        raise domain("there is nothing to pad with")
    return (fill * (missing // len(fill) + 1))[:missing]


def lpad(string: str, size: int, fill: str) -> str:
    """Pad on the left, or cut on the right, to exactly `size`."""
    return string[: max(size, 0)] if size <= len(string) else _padding(string, size, fill) + string


def rpad(string: str, size: int, fill: str) -> str:
    """Pad or cut on the right, to exactly `size`."""
    return string[: max(size, 0)] if size <= len(string) else string + _padding(string, size, fill)


def from_codepoint(code: int) -> str:
    """Return the character with this code."""
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise domain(f"there is no character {code}")
    return chr(code)


def concat(*values: Any) -> Any:
    """Join everything that is not NULL as text; lists are joined to a list."""
    if list not in map(type, values):
        return "".join([value if value.__class__ is str else to_text(value) for value in values if value is not None])
    present = [value for value in values if value is not None]
    if all(value.__class__ is list for value in present):
        return [item for value in present for item in value]
    raise mismatch("function concat", "LIST and other types")


def concat_ws(separator: Any, *values: Any) -> str | None:
    """Join everything that is not NULL, with a separator."""
    if separator is None:
        return None
    if separator.__class__ is not str:
        raise mismatch("function concat_ws", type_name(separator))
    return joined(str(separator), [to_text(value) for value in values if value is not None])


def joined(separator: str, parts: list[str]) -> str:
    """Return the parts with a separator between them. Fails with expression.overflow before it grows too long."""
    if len(separator) * len(parts) + sum(map(len, parts)) > MAX_TEXT:
        raise too_long()
    return separator.join(parts)


def translate(string: str, source: str, target: str) -> str:
    """Replace each character of `source` by the one of `target` at its place; drop those beyond its end."""
    table: dict[int, str | None] = {}
    for index, character in enumerate(source):
        table.setdefault(ord(character), target[index] if index < len(target) else None)
    return string.translate(table)


def levenshtein(a: str, b: str) -> int:
    """Return how many bytes of UTF-8 must be inserted, removed or changed, as DuckDB counts."""
    x, y = a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass")
    if len(x) * len(y) > 1_000_000:
        raise domain("the texts are too long to compare character by character")
    row = list(range(len(y) + 1))
    for i, left_byte in enumerate(x, 1):
        before, row[0] = row[0], i
        for j, right_byte in enumerate(y, 1):
            before, row[j] = row[j], min(before + (left_byte != right_byte), row[j] + 1, row[j - 1] + 1)
    return row[-1]


_MAX_OFFSET: Final = 2**32 - 1
_S: Final = text("string")
_BLANK: Final = {"inline": "{0}.strip(' ')"}
_LENGTH: Final = Arg("x", Kind.TEXT | Kind.LIST)


def _simple(name: str, impl: Any, returns: Kind, doc: str, example: tuple[str, str], **more: Any) -> Function:
    return Function(name=name, args=(_S,), impl=impl, returns=returns, doc=doc, example=example, **more)


def _two(name: str, other: str, impl: Any, returns: Kind, doc: str, example: tuple[str, str], **more: Any) -> Function:
    return Function(name=name, args=(_S, text(other)), impl=impl, returns=returns, doc=doc, example=example, **more)


def _trim(name: str, method: str, where: str, example: tuple[str, str]) -> Function:
    def impl(string: str, characters: str = " ") -> str:
        return getattr(string, method)(characters) if characters else string

    doc = f"Drop spaces, or any of the given characters, from {where}."
    return Function(
        name=name, args=(_S, text("characters")), required=1, impl=impl, returns=Kind.TEXT, doc=doc, example=example
    )


FUNCTIONS: Final = (
    _simple("upper", upper, Kind.TEXT, "Upper-case.", ("upper('ua')", "'UA'"), aliases=("ucase",), inline="{0}.upper()", guard="{0}.isascii()"),
    _simple("lower", lower, Kind.TEXT, "Lower-case.", ("lower('UA')", "'ua'"), aliases=("lcase",), inline="{0}.lower()", guard="{0}.isascii()"),
    Function(name="length", args=(_LENGTH,), impl=len, returns=Kind.INT, aliases=("len", "char_length", "character_length"), doc="Number of characters of text, or of items of a list.", example=("length('abc')", "3")),
    _simple("strlen", lambda s: len(s.encode("utf-8", "surrogatepass")), Kind.INT, "Number of bytes in UTF-8.", ("strlen('é')", "2")),
    _trim("trim", "strip", "both ends", ("trim('  a ')", "'a'")),
    _trim("ltrim", "lstrip", "the start", ("ltrim('xxa', 'x')", "'a'")),
    _trim("rtrim", "rstrip", "the end", ("rtrim('a  ')", "'a'")),
    Function(name="substring", args=(_S, integer("start"), integer("length")), required=2, impl=substring, returns=Kind.TEXT, aliases=("substr",), doc="Characters from `start`, to the end or as many as `length` says.", example=("substring('hello', 2, 3)", "'ell'")),
    Function(name="left", args=(_S, integer("count")), impl=left, returns=Kind.TEXT, doc="The first characters; with a negative count all but the last ones.", example=("left('hello', 2)", "'he'")),
    Function(name="right", args=(_S, integer("count")), impl=right, returns=Kind.TEXT, doc="The last characters; with a negative count all but the first ones.", example=("right('hello', 2)", "'lo'")),
    Function(name="replace", args=(_S, text("source"), text("target")), impl=replace, returns=Kind.TEXT, doc="Replace every occurrence.", example=("replace('a-b', '-', '+')", "'a+b'")),
    Function(name="split_part", args=(_S, text("separator"), integer("index")), impl=split_part, returns=Kind.TEXT, doc="One part of text split at a separator; negative counts from the end.", example=("split_part('a,b,c', ',', 2)", "'b'")),
    _two("string_split", "separator", split, Kind.LIST, "Split into a list.", ("string_split('a,b', ',')", "['a', 'b']"), aliases=("split", "str_split", "string_to_array")),
    _two("starts_with", "prefix", str.startswith, Kind.BOOL, "Whether text starts with another.", ("starts_with('abc', 'ab')", "true"), aliases=("prefix",), inline="{0}.startswith({1})"),
    _two("ends_with", "suffix", str.endswith, Kind.BOOL, "Whether text ends with another.", ("ends_with('abc', 'bc')", "true"), aliases=("suffix",), inline="{0}.endswith({1})"),
    _two("strpos", "needle", lambda s, needle: s.find(needle) + 1, Kind.INT, "Position of the first occurrence, 0 if there is none.", ("strpos('abc', 'b')", "2"), aliases=("instr", "position"), inline="({0}.find({1}) + 1)"),
    Function(name="lpad", args=(_S, integer("size"), text("fill")), impl=lpad, returns=Kind.TEXT, doc="Pad on the left, or cut, to a size.", example=("lpad('7', 3, '0')", "'007'")),
    Function(name="rpad", args=(_S, integer("size"), text("fill")), impl=rpad, returns=Kind.TEXT, doc="Pad on the right, or cut, to a size.", example=("rpad('7', 3, '.')", "'7..'")),
    _simple("reverse", reverse, Kind.TEXT, "The characters in reverse order.", ("reverse('abc')", "'cba'"), inline="{0}[::-1]", guard="{0}.isascii()"),
    Function(name="repeat", args=(_S, integer("count")), impl=repeat, returns=Kind.TEXT, doc="Text repeated; at most 16 MiB of it.", example=("repeat('ab', 3)", "'ababab'")),
    _simple("ascii", lambda s: ord(s[0]) if s else 0, Kind.INT, "Code of the first character.", ("ascii('A')", "65")),
    _simple("ord", lambda s: ord(s[0]) if s else -1, Kind.INT, "Code of the first character, -1 if there is none.", ("ord('A')", "65"), aliases=("unicode",)),
    Function(name="chr", args=(integer("code"),), impl=from_codepoint, returns=Kind.TEXT, doc="The character with a code.", example=("chr(65)", "'A'")),
    Function(name="concat", args=(any_value("x"),), variadic=True, strict=False, impl=concat, returns=Kind.TEXT | Kind.LIST, doc="All arguments as text, joined; NULL counts as empty. Lists are joined to a list.", example=("concat('a', NULL, 1)", "'a1'")),
    Function(name="concat_ws", args=(any_value("separator"), any_value("x")), variadic=True, strict=False, impl=concat_ws, returns=Kind.TEXT | Kind.NULL, doc="All arguments that are not NULL as text, with a separator between them.", example=("concat_ws('-', 'a', NULL, 'b')", "'a-b'")),
    Function(name="translate", args=(_S, text("source"), text("target")), impl=translate, returns=Kind.TEXT, doc="Replace single characters by others.", example=("translate('abc', 'ab', 'xy')", "'xyc'")),
    _two("levenshtein", "other", levenshtein, Kind.INT, "Number of single-byte edits between two texts.", ("levenshtein('duck', 'dock')", "1"), aliases=("editdist3",)),
    _simple("strip_accents", strip_accents, Kind.TEXT, "Text without accents.", ("strip_accents('mühle')", "'muhle'")),
    _simple("bit_length", lambda s: 8 * len(s.encode("utf-8", "surrogatepass")), Kind.INT, "Number of bits in UTF-8.", ("bit_length('a')", "8")),
)  # fmt: skip
