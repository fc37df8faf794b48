"""A part of an answer, chosen by the names that lead there."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from wire.core.config import suggest
from wire.core.errors import RefusedError


def select(value: Struct, key: str) -> Any:
    """Return the part of `value` at a key such as `consensus.term`. Raises RefusedError where there is none."""
    found: Any = msgspec.to_builtins(value)
    for word in key.split("."):
        known = list(found) if isinstance(found, dict) else []
        if word not in known:
            hint = suggest(word, known) or (f"known here: {', '.join(known)}" if known else "ask for less")
            raise RefusedError("api.unknown_key", f"the status has no `{key}`", path="query.key", hint=hint)
        found = found[word]
    return found
