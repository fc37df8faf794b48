"""JSON text to nodes. The standard library decides what is well-formed; this only walks it for the places."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from wire.core.errors import ConfigError
from wire.pipelines.document.node import Mapping, Mark, Node, Scalar, Sequence, syntax_error

MAX_DEPTH: Final = 64

_TOKEN = re.compile(r'[ \t\n\r]*("(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+)')


def read_json(text: str) -> Node:
    """Return the value in `text`. Raises ConfigError (`config.syntax`)."""
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        hint = "JSON takes no comments and no trailing commas; field names are in double quotes"
        raise syntax_error(_lower_first(exc.msg), Mark(exc.lineno, exc.colno), hint) from None
    except ValueError:
        hint = "NaN and Infinity are not JSON; put a long number in quotes if it is text"
        raise syntax_error("a number here is not one JSON knows, or too long", Mark(1, 1), hint) from None
    except RecursionError:
        raise _too_deep(Mark(1, 1)) from None
    return _Walk(text).value(0)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]


def _too_deep(mark: Mark) -> ConfigError:
    return syntax_error(f"nested deeper than {MAX_DEPTH} levels", mark, "no pipeline needs that: is this a data file?")


class _Walk:
    """Goes over text that is known to be well-formed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0

    def value(self, depth: int) -> Node:
        piece, start = self._next()
        if depth > MAX_DEPTH:
            raise _too_deep(start)
        if piece == "[":
            return self._sequence(start, depth)
        if piece == "{":
            return self._mapping(start, depth)
        return self._scalar(piece, start)

    def _sequence(self, start: Mark, depth: int) -> Sequence:
        items: list[Node] = []
        while self._peek() != "]":
            items.append(self.value(depth + 1))
            if self._peek() == ",":
                self._next()
        self._next()
        return Sequence(items, start)

    def _mapping(self, start: Mark, depth: int) -> Mapping:
        items: list[tuple[Scalar, Node]] = []
        while self._peek() != "}":
            key = self._scalar(*self._next())
            self._next()  # the colon
            items.append((key, self.value(depth + 1)))
            if self._peek() == ",":
                self._next()
        self._next()
        return Mapping(items, start)

    def _scalar(self, piece: str, start: Mark) -> Scalar:
        value: Any = json.loads(piece)
        quoted = isinstance(value, str)
        end = Mark(start.line, start.column + len(piece))
        return Scalar(value, value if quoted else piece, '"' if quoted else "", start, end)

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1] if match else ""

    def _next(self) -> tuple[str, Mark]:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise syntax_error("the text ends too early", Mark(self._line, 1))
        self._at = match.end()
        start = match.start(1)
        self._line += self._text.count("\n", self._counted, start)
        line_start = self._text.rfind("\n", 0, start) + 1
        self._counted = start
        return match[1], Mark(self._line, start - line_start + 1)
