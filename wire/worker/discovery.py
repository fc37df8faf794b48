"""Looks which partitions a pipeline's sources have, so that the scheduler can deal them out. It moves no record."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from wire.cluster.tasks import too_many
from wire.core.clock import Clock
from wire.core.errors import FatalError, RetryableError, UnavailableError, WireError
from wire.core.ports import Source
from wire.core.records import PartitionId, PartitionKey
from wire.pipelines.building import build_source
from wire.pipelines.engine.ledger import Ledger
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.run import Run
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.located import located

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 2.0

Found = Callable[[tuple[PartitionKey, ...]], None]


class Discovery:
    """Tells `found` of all partitions at the first look, and then whenever they are others than before."""

    def __init__(
        self, pipeline: LoadedPipeline, found: Found, progress: Progress, *, clock: Clock, rng: random.Random
    ) -> None:
        """Prepare; no source is built yet."""
        self._pipeline = pipeline
        self._found = found
        self._progress = progress
        self._clock = clock
        self._run = Run(pipeline.spec, Ledger(), progress, clock, rng)
        self._sources: list[tuple[Component, Source]] = []
        self._last: tuple[PartitionKey, ...] | None = None

    async def look(self) -> None:
        """Ask every source once, and wait for those that are away.

        Raises UnavailableError, or FatalError also where there are more partitions than a job may have.
        """
        if not self._sources:
            self._sources = [(each, build_source(each, self._pipeline)) for each in self._pipeline.sources]
        found = [
            PartitionKey(component.name, partition)
            for component, source in self._sources
            for partition in await self._partitions(component, source)
        ]
        refusal = too_many(found)
        if refusal is not None:
            raise FatalError(refusal.code, refusal.message, hint=refusal.hint)
        self._progress.state = "running"
        if tuple(found) != self._last:
            self._last = tuple(found)
            self._found(self._last)

    async def watch(self) -> None:
        """Look again and again. What was there at the first look may come back, so it is waited for."""
        while True:
            await self._clock.sleep(_LOOK_EVERY_S)
            await self.look()

    async def close(self) -> None:
        """Close the sources. Idempotent."""
        for component, source in self._sources:
            try:
                await source.close()
            except WireError as exc:
                log.warning("close_failed", component=component.name, code=exc.code, error=exc.message)

    async def _partitions(self, component: Component, source: Source) -> Sequence[PartitionId]:
        async def attempt() -> Sequence[PartitionId]:
            try:
                with located(component.path):
                    return sorted(await source.partitions())
            except UnavailableError as exc:
                if self._last is None:
                    raise
                raise RetryableError(exc.code, exc.message, path=exc.path, hint=exc.hint) from exc

        def failed(error: RetryableError, wait_s: float) -> None:
            self._progress.state, self._progress.last_error = "retrying", str(error)
            log.warning("look_retry", source=component.name, code=error.code, wait_s=round(wait_s, 3))

        return await self._run.persist(attempt, failed)
