"""The order of the operations on one id, where a write holds several of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Literal

from msgspec import Struct

Op = Literal["replace", "merge", "insert", "delete"]

OPS: Final[frozenset[str]] = frozenset(("replace", "merge", "insert", "delete"))
_FINAL: Final = frozenset(("replace", "delete"))  # whatever was there before makes no difference

Subject = tuple[str, Hashable]
"""A collection, and what is the same for all spellings of an id that MongoDB takes for the same."""


class Operation(Struct):
    """What one record does: to which document of which collection.

    `place` is the record's index in the write, counted over all batches. `document` is BSON, with `_id`; None where
    the operation is to delete.
    """

    place: int
    op: Op
    collection: str
    id: Any
    document: bytes | None


class Chain:
    """The operations on one id, in order, of which one at a time may be under way.

    A replacement or deletion makes void what stands before it. That is left out, unless the replacement is refused.
    """

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        """Start without operations."""
        self._left: list[Operation] = []
        self._at = 0

    def add(self, operation: Operation) -> None:
        """Put an operation behind the others."""
        self._left.append(operation)

    def __bool__(self) -> bool:
        """Say whether anything is left."""
        return bool(self._left)

    def next(self) -> Operation:
        """Return what is to be carried out now, of what is left."""
        self._at = next((i for i in range(len(self._left) - 1, 0, -1) if self._left[i].op in _FINAL), 0)
        return self._left[self._at]

    def done(self) -> int:
        """Learn that what `next` returned was carried out; return how many operations it made void."""
        del self._left[: self._at + 1]
        return self._at

    def refused(self) -> None:
        """Learn that what `next` returned will never be carried out: what it made void counts again."""
        del self._left[self._at]
