"""Pairs of names and values: `level=info msg="not found"`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from wire.core.config import Config, MisfitError, doc
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.reading import Several, invalid, text_of

_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ENDS: Final = {"n": "\n", "t": "\t", "r": "\r"}


class AsKeyValue(Config, frozen=True, kw_only=True, tag="key_value", tag_field="type"):
    """Pairs of names and values."""

    separator: Annotated[str, doc("What stands between a name and its value.")] = "="
    between: Annotated[str, doc("What stands between two pairs; spaces around it don't matter.")] = " "

    def __post_init__(self) -> None:
        for name in ("separator", "between"):
            if not getattr(self, name):
                raise MisfitError(f"`{name}` is empty", "write the characters that stand there, such as = or a space")
        if self.separator == self.between:
            raise MisfitError("`between` is the same as `separator`", "pairs could not be told from their parts")

    def reading(self, context: TransformContext) -> Several:
        """Return how it is read."""
        return Several(_Pairs(self.separator, self.between).read)


class _Pairs:
    def __init__(self, separator: str, between: str) -> None:
        self._separator = separator
        self._between = between

    def read(self, value: Any) -> dict[str, Any]:
        """Return all values by name, the last one of each."""
        text = text_of(value)
        found: dict[str, Any] = {}
        at, size, middle = 0, len(text), -1
        while at < size:
            if middle < at:  # looked for again only when it was passed: linear, whatever the text
                middle = text.find(self._separator, at)
                if middle < 0:
                    break
            end = self._end(text, at)
            if end <= middle:  # a word without a value
                at = end + len(self._between)
                continue
            name = text[at:middle].strip()
            content, at = self._value(text, middle + len(self._separator))
            if name:
                found[name] = content
        if not found and text.strip():
            raise invalid(f"made of pairs such as name{self._separator}value", text)
        return found

    def _value(self, text: str, at: int) -> tuple[str, int]:
        """Return the value that begins here, and where the next pair begins."""
        quoted = _QUOTED.match(text, at)
        if quoted is not None:
            end = self._end(text, quoted.end())
            if not text[quoted.end() : end].strip():
                content = quoted[1]
                plain = _ESCAPED.sub(lambda m: _ENDS.get(m[1], m[1]), content) if "\\" in content else content
                return plain, end + len(self._between)
        end = self._end(text, at)
        return text[at:end].strip(), end + len(self._between)

    def _end(self, text: str, at: int) -> int:
        end = text.find(self._between, at)
        return len(text) if end < 0 else end
