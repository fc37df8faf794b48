"""Requests that were carried out: a command that is proposed again is not applied again.

Part of the replicated state: the same on every member, since it changes only as entries are applied, and part of every
snapshot. Bounded: the oldest are forgotten, by the order of the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

_CHUNK_BYTES: Final = 1 << 19
MAX_RESULT_BYTES: Final = 1 << 20
"""A longer result is not remembered: a request of which it came may be carried out again."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode
_decode_count = msgspec.msgpack.Decoder(int).decode


class Requests:
    """The results of the last `limit` requests that had an id, of at most `max_bytes` together."""

    def __init__(self, limit: int, max_bytes: int) -> None:
        """Begin with none. The bounds must be the same on all members."""
        self._limit = limit
        self._max_bytes = max_bytes
        self._results: dict[bytes, bytes] = {}
        self._order: deque[bytes] = deque()  # the first of a dict is far to find where many were removed before it
        self._bytes = 0

    def result(self, request_id: bytes) -> bytes | None:
        """Return what came of a request, None if it is not known."""
        return self._results.get(request_id)

    def add(self, request_id: bytes, result: bytes) -> None:
        """Remember what came of a request, unless that is too long."""
        if len(result) > MAX_RESULT_BYTES:
            return
        self._results[request_id] = result
        self._order.append(request_id)
        self._bytes += len(request_id) + len(result)
        while len(self._results) > self._limit or (self._bytes > self._max_bytes and len(self._results) > 1):
            oldest = self._order.popleft()
            self._bytes -= len(oldest) + len(self._results.pop(oldest))

    def snapshot(self) -> Iterator[bytes]:
        """Return all as of now, in chunks; the first says how many follow. They may be made in another thread."""
        return _chunks(self._results.copy())

    def restore(self, chunks: Iterator[bytes]) -> None:
        """Take over what `snapshot` gave, and leave what follows in `chunks`."""
        self._results = {}
        self._order.clear()
        self._bytes = 0
        for _ in range(_decode_count(next(chunks))):
            for request_id, result in _decode(next(chunks)):
                self.add(request_id, result)


def _chunks(results: dict[bytes, bytes]) -> Iterator[bytes]:
    parts: list[list[tuple[bytes, bytes]]] = []
    size = _CHUNK_BYTES
    for row in results.items():
        if size >= _CHUNK_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(row)
        size += len(row[0]) + len(row[1])
    yield _encode(len(parts))
    for part in parts:
        yield _encode(part)
