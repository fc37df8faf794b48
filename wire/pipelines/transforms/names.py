"""Names of fields as configurations write them."""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')


def field_path(text: str) -> tuple[str, ...]:
    """Return the parts of a dotted name: `a.b`, or `"a.b".c` where a part holds a dot. ValueError if malformed."""
    parts, at = [], 0
    while match := _PART.match(text, at):
        quoted, bare = match.groups()
        parts.append(bare if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            break
        at += 1
    raise ValueError(text)


def quoted(name: str) -> str:
    """Return a field's name as an expression writes it."""
    return '"' + name.replace('"', '""') + '"'
