"""Text that a pattern describes: regular expressions on RE2, with the named patterns of grok."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import re2
from msgspec import field

from wire.core.config import Config, doc, suggest
from wire.core.errors import ConfigError, RecordError
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.grok import PATTERNS
from wire.pipelines.transforms.parse.reading import Fields, invalid, text_of

_LONGEST: Final = 65_536
"""Characters a pattern may have when all its references are replaced (I10: no short one fills the memory)."""

_PART: Final = re.compile(
    r"""\\.                                             # what is escaped means itself
      | \[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]         # in a class, no group begins
      | \(\?P?<(?P<group>[A-Za-z_]\w*)>
      | %\{(?P<name>\w+)(?::(?P<field>[^:{}]+))?(?::(?P<type>[^:{}]*))?\}""",
    re.VERBOSE | re.DOTALL,
)
_NOWHERE: Final = (-1, -1)
_CONVERTERS: Final[dict[str, Callable[[str], Any]]] = {"int": int, "float": float, "text": str}


class AsRegex(Config, frozen=True, kw_only=True, tag="regex", tag_field="type"):
    """Text that a pattern describes."""

    pattern: Annotated[str, doc("A regular expression with named groups, or with patterns such as `%{IP:client}`.")]
    patterns: Annotated[dict[str, str], doc("More patterns to refer to, by their names.")] = field(default_factory=dict)

    def reading(self, context: TransformContext) -> Fields:
        """Return how it is read. Raises ConfigError for patterns that RE2 does not take."""
        expansion = _Expansion({**PATTERNS, **self.patterns}, context)
        pattern = expansion.of(self.pattern, ())
        if not expansion.groups:
            hint = "name what is to be kept, as in (?P<status>[0-9]+) or %{INT:status}"
            raise context.mistake("the pattern names nothing", hint, "as", "pattern")
        compiled = _compiled(pattern, context)
        return Fields(tuple(expansion.groups), _reader(compiled, expansion.groups))


class _Expansion:
    """A pattern with its references replaced. `groups` has the numbers and the type of the groups by field."""

    def __init__(self, patterns: Mapping[str, str], context: TransformContext) -> None:
        self.groups: dict[str, tuple[list[str], Callable[[str], Any]]] = {}
        self._patterns = patterns
        self._context = context
        self._size = 0

    def of(self, pattern: str, within: tuple[str, ...]) -> str:
        """Return a pattern that refers to nothing; `within` names those it is part of."""
        pieces: list[str] = []
        at = 0
        for part in _PART.finditer(pattern):
            self._add(pieces, pattern[at : part.start()])
            at = part.end()
            if part["group"]:
                self._add(pieces, f"(?P<{self._group(part['group'], 'text')}>")
            elif part["name"]:
                self._refer(pieces, part, within)
            else:
                self._add(pieces, part[0])
        self._add(pieces, pattern[at:])
        return "".join(pieces)

    def _refer(self, pieces: list[str], part: re.Match[str], within: tuple[str, ...]) -> None:
        name = part["name"]
        if name not in self._patterns:
            hint = suggest(name, self._patterns) or "add it to `patterns`"
            raise self._mistake(f"there is no pattern `{name}`", hint, within)
        if name in within:
            raise self._mistake(f"the pattern `{name}` refers to itself", "write out what it stands for", within)
        begin = f"(?P<{self._group(part['field'], part['type'] or 'text')}>" if part["field"] else "(?:"
        self._add(pieces, begin)
        pieces.append(self.of(self._patterns[name], (*within, name)))
        self._add(pieces, ")")

    def _group(self, name: str, kind: str) -> str:
        if kind not in _CONVERTERS:
            raise self._mistake(f"`{kind}` is no type of a field", f"there are {', '.join(_CONVERTERS)}", ())
        group = f"g{sum(len(groups) for groups, _ in self.groups.values())}"
        groups, _ = self.groups.setdefault(name, ([], _CONVERTERS[kind]))
        groups.append(group)
        return group

    def _add(self, pieces: list[str], piece: str) -> None:
        self._size += len(piece)
        if self._size > _LONGEST:
            raise self._mistake("the pattern is too long", f"all in all, {_LONGEST} characters are possible", ())
        pieces.append(piece)

    def _mistake(self, message: str, hint: str, within: tuple[str, ...]) -> ConfigError:
        if within:
            message = f"{message} (in `{within[-1]}`)"
        return self._context.mistake(message, hint, "as", "pattern")


def _compiled(pattern: str, context: TransformContext) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except (re2.error, UnicodeEncodeError) as exc:
        reason = exc.args[0].decode(errors="replace") if isinstance(exc.args[0], bytes) else str(exc.args[0])
        hint = "patterns are RE2's: no look-around and no backreferences"
        raise context.mistake(f"not a regular expression: {reason}", hint, "as", "pattern") from None


def _reader(compiled: Any, fields: Mapping[str, tuple[list[str], Callable[[str], Any]]]) -> Callable[[Any], Any]:
    numbers = compiled.groupindex
    wanted = [([numbers[group.encode()] for group in groups], kind) for groups, kind in fields.values()]
    search = compiled.search

    def read(value: Any) -> tuple[Any, ...]:
        text = text_of(value)
        data = text.encode()
        match = search(data)
        if match is None:
            raise _no_match(text)
        span, values = match.span, []
        try:
            for groups, kind in wanted:
                begin, end = next((at for at in map(span, groups) if at[0] >= 0), _NOWHERE)
                values.append(kind(data[begin:end].decode()) if begin >= 0 else None)
        except ValueError as exc:
            raise invalid("what the pattern takes it for", text, str(exc)) from exc
        return tuple(values)

    return read


def _no_match(text: str) -> RecordError:
    message = f"the pattern does not match {text[:200]!r}{'…' if len(text) > 200 else ''}"
    return RecordError("transform.parse.no_match", message, hint="`on_error: null` keeps such records")
