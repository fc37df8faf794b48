"""Parts of lists: in a stable order by keys, so that what comes and goes meanwhile moves nothing between the parts."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from wire.api.ports import Part
from wire.api.views import Page
from wire.core.errors import ConfigError, Finding

R = TypeVar("R")
V = TypeVar("V")

MOST_BYTES: Final = 4 << 20


def part_of(
    rows: Iterable[R],
    part: Part,
    key: Callable[[R], Any],
    kind: Any,
    view: Callable[[R], V],
    size: Callable[[R], int] = lambda _: 0,
) -> Page[V]:
    """Return the rows behind those that were returned before, by ascending `key`, a value of `kind`.

    They are fewer than asked for where their sizes come to more than a few MiB.
    """
    last = None if part.after is None else _read(part.after, kind)
    behind = rows if last is None else (row for row in rows if key(row) > last)
    chosen = heapq.nsmallest(part.limit + 1, behind, key=key)
    count, held = 0, 0
    for row in chosen[: part.limit]:
        held += size(row)
        if count and held > MOST_BYTES:  # I8
            break
        count += 1
    items = tuple(view(row) for row in chosen[:count])
    return Page(items=items, next=_write(key(chosen[count - 1])) if len(chosen) > count else None)


def _write(key: Any) -> str:
    return msgspec.json.encode(key).decode()


def _read(after: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(after.encode(), type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError):
        hint = "pass `next` of the part before on as it is"
        finding = Finding(code="api.invalid", path="query.cursor", message="this is no cursor of this list", hint=hint)
        raise ConfigError([finding]) from None
