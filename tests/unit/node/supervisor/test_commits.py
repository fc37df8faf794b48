"""What many tasks commit becomes few calls, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.waiting import until
from wire.cluster.commands import TaskCheckpoints
from wire.cluster.state import JobId, TaskKey
from wire.core.clock import SystemClock
from wire.node.supervisor.commits import Commits
from wire.worker.protocol import Refusal


def task(slot: int) -> TaskCheckpoints:
    return TaskCheckpoints(TaskKey(JobId("j"), slot), 1, ())


class Slow:
    """Commits when it is let, and refuses odd slots."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.let = asyncio.Semaphore(0)

    async def commit(self, tasks: Sequence[TaskCheckpoints]) -> Sequence[Refusal | None]:
        self.calls.append([each.key.slot for each in tasks])
        await self.let.acquire()
        return ["fenced" if each.key.slot % 2 else None for each in tasks]


async def test_what_is_put_while_one_is_under_way_is_the_next_as_a_whole() -> None:
    slow, answers = Slow(), dict[int, Refusal | None]()
    commits = Commits(slow.commit, SystemClock(), 0)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(commits.run())
        commits.put(task(0), lambda refusal: answers.update({0: refusal}))
        await until(lambda: slow.calls == [[0]])
        for slot in (1, 2, 3):
            commits.put(task(slot), lambda refusal, slot=slot: answers.update({slot: refusal}))
        assert not answers
        slow.let.release()
        await until(lambda: slow.calls == [[0], [1, 2, 3]])
        assert answers == {0: None}
        slow.let.release()
        await until(lambda: len(answers) == 4)
        assert answers == {0: None, 1: "fenced", 2: None, 3: "fenced"}
        running.cancel()
