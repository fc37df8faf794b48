"""What the supervisor needs of whoever decides which tasks run here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wire.cluster.commands import TaskCheckpoints
from wire.cluster.state import Error
from wire.core.errors import WireError
from wire.core.records import PartitionKey
from wire.worker.protocol import Refusal, Run


class TaskOwner(Protocol):
    """Is told what becomes of the runs it began: of each exactly one of the first five, and then no more of it.

    All but `commit` are called from the event loop and must return at once, without calling the supervisor.
    """

    def task_ended(self, run: Run) -> None:
        """Learn that a run has read, written and committed all there will ever be."""
        ...

    def task_released(self, run: Run) -> None:
        """Learn that a run that was to end does nothing any more. It may not have got as far as it was to."""
        ...

    def task_failed(self, run: Run, error: Error) -> None:
        """Learn that a run can't go on, and does nothing any more."""
        ...

    def task_lost(self, run: Run, error: WireError) -> None:
        """Learn that a run does nothing any more, though it was not to end: it went with its worker, for that `error`.

        Where it is still the newest of its task, begin that again under a new epoch.
        """
        ...

    def task_fenced(self, run: Run) -> None:
        """Learn that a run has let go by itself: it is not the newest of its task, or can only begin anew.

        Where it is still the newest, begin the task again under a new epoch.
        """
        ...

    def partitions_found(self, run: Run, partitions: tuple[PartitionKey, ...]) -> None:
        """Learn from a run of discovery which partitions there are now."""
        ...

    async def commit(self, tasks: Sequence[TaskCheckpoints]) -> Sequence[Refusal | None]:
        """Return, for each task, None once its checkpoints are durable, or why they never will be.

        One call at a time, with each run at most once. It may take as long as the cluster is without a leader:
        meanwhile the tasks wait. It must not answer while the outcome is open, and not raise: what goes wrong on the
        way is for the owner to try again. May be for a run that is lost by now.
        """
        ...
