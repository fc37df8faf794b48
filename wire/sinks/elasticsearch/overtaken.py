"""Keeps a document that is written late from undoing its own deletion.

Elasticsearch remembers the version of a deleted document only for a while (`index.gc_deletes`, a minute unless set).
Of two bulk requests under way at once the later one may delete a document while the earlier, which puts it, is turned
away; when that is repeated after minutes of waiting, Elasticsearch would take it for a new document. So deletions are
remembered here while anything that may be older is still to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from wire.sinks.elasticsearch.actions import Action

_Key = tuple[str | None, str]

_GIVEN_UP: Final = 1_000


class Overtaken:
    """The deletions that succeeded while older actions were under way or had failed; forgotten when none is left.

    Bounded by what the engine has under way: what failed goes again before anything newer (I8). What has not come again
    after very many writes was given up.
    """

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._deleted: dict[_Key, int] = {}
        self._deleted_before: dict[_Key, int] = {}  # until all writes are over that were under way at the turn
        self._turned_at = 0
        self._failed: dict[tuple[_Key, int], int] = {}  # in which write, the oldest first
        self._begun = 0
        self._under_way: set[int] = set()

    def begin(self, actions: Sequence[Action]) -> tuple[int, list[Action]]:
        """Learn that a write begins; return its number, which `end` must get, and those actions not too late."""
        self._begun += 1
        self._under_way.add(self._begun)
        if not self._deleted and not self._deleted_before:
            return self._begun, list(actions)
        return self._begun, [action for action in actions if not self.is_late(action)]

    def is_late(self, action: Action) -> bool:
        """Say whether the action's document has since been deleted."""
        key, version = _key(action), action.version
        if version is None or max(self._deleted.get(key, -1), self._deleted_before.get(key, -1)) <= version:
            return False
        self._failed.pop((key, version), None)
        return True

    def refused(self, action: Action) -> None:
        """Learn that this one will never be written."""
        if action.version is not None:
            self._failed.pop((_key(action), action.version), None)

    def done(self, actions: Iterable[Action]) -> None:
        """Learn that these are written, or a newer version of their document is."""
        for action in actions:
            if action.version is None:
                continue
            self._failed.pop((_key(action), action.version), None)
            if action.op == "delete":
                self._deleted[_key(action)] = max(action.version, self._deleted.get(_key(action), 0))

    def failed(self, actions: Iterable[Action]) -> None:
        """Learn that these are to be repeated."""
        for action in actions:
            if action.version is not None:
                failed = _key(action), action.version
                self._failed.pop(failed, None)
                self._failed[failed] = self._begun

    def end(self, number: int) -> None:
        """Learn that a write is over."""
        self._under_way.discard(number)
        while self._failed and self._failed[next(iter(self._failed))] < self._begun - _GIVEN_UP:
            del self._failed[next(iter(self._failed))]
        if self._failed:
            return
        if not self._under_way:
            self._deleted.clear()
            self._deleted_before.clear()
        elif min(self._under_way) > self._turned_at:
            self._deleted_before, self._deleted, self._turned_at = self._deleted, {}, self._begun


def _key(action: Action) -> _Key:
    return action.index, action.id
