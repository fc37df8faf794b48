"""What of a key or a value may be shown to a person: never what is called like a secret (I9)."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

MASK: Final = "***"
MAX_SHOWN_BYTES: Final = 16 << 10
MAX_READ_BYTES: Final = 256 << 10
"""What is longer is not shown at all: to know what is in it, all of it would have to be read."""

_TELLING: Final = (
    r"pa?s+(?:w|phrase|code|key)|(?<![a-z])pass(?![a-z])|pwd|secret|token|credential|api[_-]?key|access[_-]?key|private"
    r"|auth(?![a-z])|authori[sz]ation|cookie|session[_-]?id|signature|bearer"
)
_NAME: Final = re.compile(_TELLING, re.IGNORECASE)
_IN_TEXT: Final = re.compile(rf"""(?:{_TELLING})[\w.-]*["']?\s*[:=]""".encode(), re.IGNORECASE)


class Shown(Struct, frozen=True):
    """A key or value: `data` is JSON, the beginning of a JSON text that is too long, bytes of another kind, or nothing.

    Nothing is there of what is too long to be read, or seems to hold secrets in a form that can't be read.
    """

    form: Literal["json", "cut", "bytes", "hidden"]
    data: bytes = b""
    truncated: bool = False


def shown(data: bytes | None) -> Shown | None:
    """Return what may be shown of a key or a value, in at most `MAX_SHOWN_BYTES`; None if there is none."""
    if data is None:
        return None
    if len(data) > MAX_READ_BYTES:
        return Shown("hidden", truncated=True)
    try:
        text = msgspec.json.encode(masked(msgspec.json.decode(data)))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        if _IN_TEXT.search(data):
            return Shown("hidden")
        return Shown("bytes", data[:MAX_SHOWN_BYTES], truncated=len(data) > MAX_SHOWN_BYTES)
    if len(text) > MAX_SHOWN_BYTES:
        return Shown("cut", text[:MAX_SHOWN_BYTES].decode(errors="ignore").encode(), truncated=True)
    return Shown("json", text)


def masked(tree: Any) -> Any:
    """Return plain data in which a mask is in the place of everything whose name sounds like a secret, at any depth."""
    if isinstance(tree, dict):
        return {name: MASK if _NAME.search(name) else masked(item) for name, item in tree.items()}
    if isinstance(tree, list):
        return [masked(item) for item in tree]
    return tree
