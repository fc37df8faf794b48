"""What waits for the next turn of the replica, and the callers who wait for what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MAX_MESSAGES: Final = 10_000
_MAX_MESSAGES_BYTES: Final = 128 << 20
_MAX_CALLERS: Final = 10_000
_MAX_CALLERS_BYTES: Final = 256 << 20
_MOST_PER_TURN: Final = 256


class _Room:
    """How many there may be of a kind, and how many bytes they may hold together; for one there always is room."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._count = 0
        self._bytes = 0

    def fits(self, size: int) -> bool:
        return not self._count or (self._count < self._most and self._bytes + size <= self._most_bytes)

    def take(self, size: int) -> None:
        self._count += 1
        self._bytes += size

    def give_back(self, size: int) -> None:
        self._count -= 1
        self._bytes -= size


class Inbox:
    """Pieces of work in their order, and something that wakes whoever does them.

    Messages and callers have room of their own, in number and in bytes (I8): neither keeps the others out. `dropped`
    counts the messages that there was no room for: they are lost, as on a network.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.wake = asyncio.Event()
        self.dropped = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._messages = _Room(_MAX_MESSAGES, _MAX_MESSAGES_BYTES)
        self._callers = _Room(_MAX_CALLERS, _MAX_CALLERS_BYTES)
        self._answers: dict[asyncio.Future[Any], Any] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, work: Callable[[], None], size: int) -> None:
        """Have a message of so many bytes taken in the next turn; drop and count it if too much is waiting."""
        if not self._messages.fits(size):
            self.dropped += 1
            return

        def take() -> None:
            self._messages.give_back(size)
            work()

        self._messages.take(size)
        self._add(take)

    def has_room(self, size: int) -> bool:
        """Whether another caller may `ask` for something that holds so many bytes."""
        return self._callers.fits(size)

    async def ask(self, call: Callable[[Callable[[T], None]], None], otherwise: T, size: int = 0) -> T:
        """Have `call` called in the next turn with a function that takes the answer, and return that.

        Where nothing is done any more, `otherwise` is the answer. To be asked only while there is room for `size`.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(outcome: T) -> None:
            if not answer.done():
                answer.set_result(outcome)

        begin = partial(call, done)
        self._answers[answer] = otherwise
        self._callers.take(size)
        self._add(begin)
        try:
            return await answer
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # the turn has come already
                self._waiting.remove(begin)
            raise
        finally:
            del self._answers[answer]
            self._callers.give_back(size)

    def work(self) -> None:
        """Do what waits, or some of it."""
        for _ in range(min(len(self._waiting), _MOST_PER_TURN)):
            self._waiting.popleft()()

    async def doze(self, seconds: float) -> None:
        """Return when something is put here, or the time is over."""
        self.wake.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self.wake.set)
        try:
            await self.wake.wait()
        finally:
            timer.cancel()

    def close(self) -> None:
        """Answer those who still wait: nothing is done any more."""
        self._waiting.clear()
        for answer, otherwise in list(self._answers.items()):
            if not answer.done():
                answer.set_result(otherwise)

    def _add(self, work: Callable[[], None]) -> None:
        self._waiting.append(work)
        self.wake.set()
