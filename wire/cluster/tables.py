"""A dict that keeps indexes over its rows, however it is changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import ItemsView, Iterator, KeysView, MutableMapping, ValuesView
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Table(MutableMapping[K, V]):
    """Immutable rows by key, in the order in which the keys were first put in."""

    def __init__(self) -> None:
        """Begin with no rows."""
        self._rows: dict[K, V] = {}

    @abstractmethod
    def _index(self, old: V | None, new: V | None) -> None:
        """Learn that a row takes the place of another one; None stands for no row."""

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __setitem__(self, key: K, row: V) -> None:
        self._index(self._rows.get(key), row)
        self._rows[key] = row

    def __delitem__(self, key: K) -> None:
        self._index(self._rows.pop(key), None)

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    # the mixins of MutableMapping go through Python for each row

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def keys(self) -> KeysView[K]:
        """Return the keys, as a dict does."""
        return self._rows.keys()

    def values(self) -> ValuesView[V]:
        """Return the rows, as a dict does."""
        return self._rows.values()

    def items(self) -> ItemsView[K, V]:
        """Return keys and rows, as a dict does."""
        return self._rows.items()

    def copy(self) -> dict[K, V]:
        """Return what is there now, without the indexes."""
        return self._rows.copy()
