"""What is to be sent to one peer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence


class Outbox:
    """Frames that wait for a connection to take them, in their order; bounded in number and bytes (I8).

    Closed, it holds nothing and takes nothing, so that a new connection begins without what was meant for the last.
    """

    def __init__(self, *, max_frames: int, max_bytes: int) -> None:
        """Begin closed."""
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self.is_open = False
        self.size = 0

    def __len__(self) -> int:
        return len(self._frames)

    def open(self) -> None:
        """Take frames from now on."""
        self.is_open = True

    def close(self) -> None:
        """Drop everything, and whatever comes."""
        self.is_open = False
        self.size = 0
        self._frames.clear()
        self._filled.clear()

    def put(self, frame: bytes) -> bool:
        """Add a frame, and say whether there was room: for one always, however large."""
        if not self.is_open:
            return False
        if self._frames and (len(self._frames) >= self._max_frames or self.size + len(frame) > self._max_bytes):
            return False
        self._frames.append(frame)
        self.size += len(frame)
        self._filled.set()
        return True

    def nudge(self) -> None:
        """Have `filled` return though there is nothing to take."""
        self._filled.set()

    async def filled(self) -> None:
        """Return as soon as there is a frame to take, or somebody gave a nudge."""
        await self._filled.wait()

    def take(self, max_bytes: int) -> Sequence[bytes]:
        """Return the first frames, not more than fit but at least one; none if there is none."""
        taken: list[bytes] = []
        size = 0
        while self._frames and (not taken or size + len(self._frames[0]) <= max_bytes):
            frame = self._frames.popleft()
            size += len(frame)
            taken.append(frame)
        self.size -= size
        if not self._frames:
            self._filled.clear()
        return taken
