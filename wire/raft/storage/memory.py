"""The entries of a log in memory, where each is found at once and a million are thrown away without a pause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wire.raft.types import Entry

_SHIFT: Final = 10
_BLOCK: Final = 1 << _SHIFT
_RELEASED: Final = 2
"""How many blocks each change gives back to the allocator: it fills at most one."""


class _Block:
    """Up to _BLOCK entries in a row, in a tuple when there are that many: the collector does not look into those.

    `size` counts the bytes of those commands that are in the log.
    """

    __slots__ = ("_growing", "entries", "size")

    def __init__(self, entries: Sequence[Entry] = (), size: int = 0) -> None:
        self._growing = list(entries)
        self.entries: Sequence[Entry] = self._growing
        self.size = size

    def append(self, entry: Entry) -> None:
        self._growing.append(entry)
        self.size += len(entry.command)
        if len(self._growing) == _BLOCK:
            self.entries, self._growing = tuple(self._growing), []


class Memory:
    """The entries behind a base.

    Blocks that the base has passed, or that a reset or a truncation took away, wait as garbage and are let go a few
    with each later change: freeing a million entries at once takes a tenth of a second.
    """

    def __init__(self) -> None:
        """Begin with an empty log behind (0, 0)."""
        self.base = (0, 0)
        self.last = (0, 0)
        self.size = 0
        self._first = 1  # the index that block 0 begins with
        self._blocks: dict[int, _Block] = {}
        self._garbage: list[_Block] = []

    def term_at(self, index: int) -> int | None:
        """Return the term of an entry or of the base; None outside the log. Takes constant time."""
        if index == self.base[0]:
            return self.base[1]
        return self._at(index).term if self.base[0] < index <= self.last[0] else None

    def entries(self, first: int, max_bytes: int, max_count: int) -> Sequence[Entry]:
        """Return entries from `first` on, as `LogStore.entries` does; none where `first` is outside the log."""
        if not self.base[0] < first <= self.last[0]:
            return []
        found: list[Entry] = []
        number, start = divmod(first - self._first, _BLOCK)
        while number in self._blocks:
            for entry in self._blocks[number].entries[start : start + max_count - len(found)]:
                max_bytes -= len(entry.command)
                if max_bytes < 0 and found:
                    return found
                found.append(entry)
            if len(found) >= max_count:
                break
            number, start = number + 1, 0
        return found

    def append(self, entry: Entry) -> None:
        """Add the next entry."""
        self._release()
        number = (entry.index - self._first) >> _SHIFT
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _Block()
        block.append(entry)
        self.size += len(entry.command)
        self.last = (entry.index, entry.term)

    def truncate(self, first: int) -> None:
        """Drop the entries from `first` on, which is behind the base."""
        self._release()
        number, start = divmod(first - self._first, _BLOCK)
        for beyond in range(number if start == 0 else number + 1, ((self.last[0] - self._first) >> _SHIFT) + 1):
            self._discard(beyond)
        if start:
            block = self._blocks[number]
            self._shrink(block, block.entries[start:])
            self._blocks[number] = _Block(block.entries[:start], block.size)
        before = first - 1
        self.last = self.base if before == self.base[0] else (before, self._at(before).term)

    def compact(self, index: int) -> None:
        """Make an entry the base."""
        self._release()
        term = self._at(index).term
        old, number = self.base[0], (index - self._first) >> _SHIFT
        for passed in range(max(0, old - self._first) >> _SHIFT, number):
            self._discard(passed)
        block, start = self._blocks[number], self._first + (number << _SHIFT)
        self._shrink(block, block.entries[max(0, old + 1 - start) : index + 1 - start])
        self.base = (index, term)
        if index == self.last[0]:
            self.reset(index, term)

    def reset(self, index: int, term: int) -> None:
        """Drop all entries and begin behind (index, term)."""
        self._release()
        self._garbage.extend(self._blocks.values())
        self._blocks = {}
        self._first = index + 1
        self.base = self.last = (index, term)
        self.size = 0

    def _at(self, index: int) -> Entry:
        number, start = divmod(index - self._first, _BLOCK)
        return self._blocks[number].entries[start]

    def _shrink(self, block: _Block, gone: Sequence[Entry]) -> None:
        size = sum(len(entry.command) for entry in gone)
        block.size -= size
        self.size -= size

    def _discard(self, number: int) -> None:
        block = self._blocks.pop(number)
        self.size -= block.size
        self._garbage.append(block)

    def _release(self) -> None:
        del self._garbage[-_RELEASED:]
