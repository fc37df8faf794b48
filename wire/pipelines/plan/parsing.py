"""Expressions of a pipeline's configuration, parsed; mistakes name where they were written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from wire.core.errors import ConfigError, Finding
from wire.pipelines.expressions import ExpressionError, Parsed, SelectItem, parse, parse_select

T = TypeVar("T")


def parse_at(text: str, path: str) -> Parsed:
    """Parse an expression written at `path`. Raises ConfigError with its column."""
    return _parse(parse, text, path)


def parse_select_at(text: str, path: str) -> Sequence[SelectItem]:
    """Parse a select list written at `path`. Raises ConfigError with its column."""
    return _parse(parse_select, text, path)


def _parse(parser: Callable[[str], T], text: str, path: str) -> T:
    try:
        return parser(text)
    except ExpressionError as exc:
        finding = Finding(
            code=exc.code, path=path, message=exc.message, hint=exc.hint, line=exc.line, column=exc.column
        )
        raise ConfigError([finding]) from exc
