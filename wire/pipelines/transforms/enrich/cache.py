"""Answers that are still good, bounded by time and number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

from wire.core.clock import Clock
from wire.pipelines.transforms.enrich.config import CacheConfig

UNKNOWN: Final = object()


class Cache:
    """Key → what was found, None where that was nothing. The least recently used goes first (I8)."""

    def __init__(self, config: CacheConfig, clock: Clock) -> None:
        """Remember as `config` says."""
        self._ttl_s = config.ttl.s
        self._missing_ttl_s = config.missing_ttl.s
        self._max_entries = config.max_entries
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """Return what is known, UNKNOWN if nothing is, or no longer."""
        entry = self._entries.get(key)
        if entry is None:
            return UNKNOWN
        if entry[0] <= self._clock.monotonic():
            del self._entries[key]
            return UNKNOWN
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Hashable, found: Any) -> None:
        """Remember an answer for as long as it is good."""
        ttl_s = self._missing_ttl_s if found is None else self._ttl_s
        if ttl_s <= 0:
            return
        self._entries[key] = (self._clock.monotonic() + ttl_s, found)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
