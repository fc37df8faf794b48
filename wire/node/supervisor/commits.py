"""Makes one commit of many: what all tasks of a node have to commit goes into one call per interval."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from wire.cluster.commands import TaskCheckpoints
from wire.core.clock import Clock
from wire.worker.protocol import Refusal

Answer = Callable[[Refusal | None], None]


class Commits:
    """Gathers commits while another is under way or the interval is not over.

    It holds one commit of each task at most (I8): a task puts its next one when the last is answered.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[TaskCheckpoints]], Awaitable[Sequence[Refusal | None]]],
        clock: Clock,
        interval_s: float,
    ) -> None:
        """Commit by `commit`, not more often than every `interval_s` seconds."""
        self._commit = commit
        self._clock = clock
        self._interval_s = interval_s
        self._waiting: list[tuple[TaskCheckpoints, Answer]] = []
        self._some = asyncio.Event()

    def put(self, task: TaskCheckpoints, answer: Answer) -> None:
        """Commit soon; `answer` is called when it is decided."""
        self._waiting.append((task, answer))
        self._some.set()

    async def run(self) -> None:
        """Commit what is put, until cancelled: then what is under way is unanswered."""
        while True:
            await self._some.wait()
            self._some.clear()
            taken, self._waiting = self._waiting, []
            refusals = await self._commit([task for task, _ in taken])
            for (_, answer), refusal in zip(taken, refusals, strict=True):
                answer(refusal)
            await self._clock.sleep(self._interval_s)
