"""The checkpoints of one run, kept by the cluster: the engine's `CheckpointStore` over the channel to the node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from wire.core.errors import FencedError
from wire.core.ports import Lineage
from wire.core.records import Checkpoint, PartitionKey
from wire.worker.protocol import Begin, Refusal

log = structlog.get_logger()

_TELL_AFTER_S: Final = 30.0

Commit = Callable[[tuple[tuple[PartitionKey, Checkpoint], ...]], asyncio.Future[Refusal | None]]


class ClusterCheckpoints:
    """What a run began with, and the way to commit what comes after."""

    def __init__(self, begun: Begin, commit: Commit) -> None:
        """Go on from the checkpoints the run was given; `commit` asks the cluster, and is told later."""
        self._begun = begun
        self._commit = commit

    async def begin(self) -> int:
        """Return the epoch the cluster gave this run: it is the newest there is, or soon fenced (I4)."""
        return self._begun.run.epoch

    async def generation(self) -> int:
        """Return the pipeline's generation at the time the run began."""
        return self._begun.generation

    async def lineage(self) -> Lineage:
        """Return what tells the pipeline from any other one."""
        return self._begun.lineage

    async def load(self) -> dict[PartitionKey, Checkpoint]:
        """Return the checkpoints of the run's share."""
        return dict(self._begun.checkpoints)

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        """Return once the cluster has them, however long it is without a leader. Raises FencedError.

        One that is cancelled may still be committed.
        """
        answer = self._commit(tuple(checkpoints.items()))
        try:
            while not (await asyncio.wait([answer], timeout=_TELL_AFTER_S))[0]:
                log.warning("commit_waits", for_s=_TELL_AFTER_S, note="the cluster does not answer")
        finally:
            answer.cancel()  # of no effect on one that is there
        match answer.result():
            case None:
                return
            case "fenced":  # I4
                raise FencedError("checkpoint.fenced", "a newer start of this task has taken over")
            case "moved_back":  # I3
                raise FencedError("checkpoint.fenced", "a checkpoint of this task would move back")
