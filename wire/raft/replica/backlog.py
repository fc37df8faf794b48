"""How much of what a leader has appended is not committed yet."""

from __future__ import annotations

from collections import deque


class Backlog:
    """The bytes of commands a leader has appended, as long as they are not committed."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sizes: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def add(self, index: int, size: int) -> None:
        """Learn of an entry that was appended."""
        self._sizes.append((index, size))
        self._bytes += size

    def bytes_behind(self, commit: int) -> int:
        """Return how many bytes are appended behind the last committed entry."""
        while self._sizes and self._sizes[0][0] <= commit:
            self._bytes -= self._sizes.popleft()[1]
        return self._bytes
