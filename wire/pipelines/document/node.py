"""The parse tree: what YAML and JSON have in common, with the place of every piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from wire.core.errors import ConfigError, Finding
from wire.core.paths import ROOT


class Mark(NamedTuple):
    """A place in a text; line and column count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A value without parts. `style` is the quote or block indicator it was written with, "" for none."""

    value: Any
    text: str
    style: str
    start: Mark
    end: Mark


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    items: list[Node]
    start: Mark


@dataclass(slots=True, eq=False)
class Mapping:
    """A mapping, in the order written; keys may repeat here."""

    items: list[tuple[Scalar, Node]]
    start: Mark


Node = Scalar | Sequence | Mapping


def syntax_error(message: str, mark: Mark, hint: str | None = None) -> ConfigError:
    """Return the error for text that is not well-formed, at `mark`."""
    finding = Finding(
        code="config.syntax", path=ROOT, message=message, hint=hint, line=mark.line, column=mark.column
    )  # fmt: skip
    return ConfigError([finding])
