"""What waits for the next turn of the replica, and the callers who wait for what comes of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MAX_WAITING: Final = 10_000  # messages; what comes beyond is lost, as on a network (I8)
_MOST_PER_TURN: Final = 256


class Inbox:
    """Pieces of work in their order, and something that wakes whoever does them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.wake = asyncio.Event()
        self._waiting: deque[Callable[[], None]] = deque()
        self._answers: dict[asyncio.Future[Any], Any] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, work: Callable[[], None]) -> None:
        """Have something done in the next turn; drop it if too much is waiting."""
        if len(self._waiting) < _MAX_WAITING:
            self._waiting.append(work)
            self.wake.set()

    async def ask(self, call: Callable[[Callable[[T], None]], None], otherwise: T) -> T:
        """Have `call` called in the next turn with a function that takes the answer, and return that.

        Where nothing is done any more, `otherwise` is the answer.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(outcome: T) -> None:
            if not answer.done():
                answer.set_result(outcome)

        self._answers[answer] = otherwise
        self._waiting.append(partial(call, done))
        self.wake.set()
        try:
            return await answer
        finally:
            del self._answers[answer]

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
