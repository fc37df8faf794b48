"""JSON paths: how a place in the user's document is named, `$.sink.config.batch` or `$.transforms[0]["a b"]`."""

from __future__ import annotations

import json
import re

ROOT = "$"

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(r'\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def child(path: str, key: str | int) -> str:
    """Return the path of a mapping's field or of a list's item."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def parent(path: str) -> str | None:
    """Return the path of what holds this one, None for the root."""
    steps = list(_STEP.finditer(path, len(ROOT)))
    return path[: steps[-1].start()] if steps else None


def steps(path: str) -> list[str | int]:
    """Return the keys and indices that lead from the root to `path`."""
    found = _STEP.finditer(path, len(ROOT))
    return [json.loads(quoted) if quoted else int(index) if index else key for key, index, quoted in
            (match.groups() for match in found)]  # fmt: skip
