"""What differs between two specs, place by place. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from wire.api.views import Difference
from wire.core.paths import ROOT, child


def differences(before: bytes, after: bytes) -> tuple[Difference, ...]:
    """Return the places in which two JSON documents differ, the smallest there are. Lists are compared item by item."""
    return tuple(_differ(msgspec.json.decode(before), msgspec.json.decode(after), ROOT))


def _differ(before: Any, after: Any, path: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            where = child(path, key)
            if key not in after:
                yield Difference(path=where, before=_raw(before[key]))
            elif key not in before:
                yield Difference(path=where, after=_raw(after[key]))
            else:
                yield from _differ(before[key], after[key], where)
    elif isinstance(before, list) and isinstance(after, list):
        common = min(len(before), len(after))
        for i in range(common):
            yield from _differ(before[i], after[i], child(path, i))
        for i, item in enumerate(before[common:], common):
            yield Difference(path=child(path, i), before=_raw(item))
        for i, item in enumerate(after[common:], common):
            yield Difference(path=child(path, i), after=_raw(item))
    elif _raw(before) != _raw(after):  # 1, 1.0 and true are equal to Python
        yield Difference(path=path, before=_raw(before), after=_raw(after))


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))
