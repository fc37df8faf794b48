"""Runs the engine on memory sources and sinks: what the tests of the runner have in common."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from wire.core.clock import Clock, SystemClock
from wire.core.errors import RecordError, WireError, root_cause
from wire.core.ports import Sink, Source
from wire.core.records import Batch, Record
from wire.core.units import Duration, Rate
from wire.pipelines.engine.assembly import Parts, SinkPart, SourcePart, opened
from wire.pipelines.engine.checkpoints import CheckpointStore, SqliteCheckpoints
from wire.pipelines.engine.progress import Progress
from wire.pipelines.spec import (
    BatchSpec,
    CheckpointSpec,
    OnErrorSpec,
    PipelineSpec,
    RetrySpec,
    SinkSpec,
    SourceSpec,
)
from wire.pipelines.stage import Stage, StageResult

FAST = Duration(2)


class PassStage:
    """Passes everything to every sink; a value that starts with `bad` fails, one with `skip` is filtered."""

    max_records: int | None = None
    waits = False

    def __init__(self, sinks: int) -> None:
        self._sinks = sinks
        self.closed = 0

    def run(self, batch: Batch) -> StageResult:
        good: list[Record] = []
        failures: list[tuple[int, WireError]] = []
        filtered = 0
        for index, record in enumerate(batch.records):
            value = record.value or b""
            if value.startswith(b"bad"):
                failures.append((index, RecordError("record.decode", "bad")))
            elif value.startswith(b"skip"):
                filtered += 1
            else:
                good.append(record)
        outputs = [Batch(batch.partition, batch.position, list(good)) for _ in range(self._sinks)]
        return StageResult(outputs, filtered, failures)

    async def run_waiting(self, batch: Batch) -> StageResult:
        await asyncio.sleep(0)
        return self.run(batch)

    async def close(self) -> None:
        self.closed += 1


def spec(policy: str = "fail", *, records: int = 4, attempts: int | str = "unlimited") -> PipelineSpec:
    return PipelineSpec(
        name="test",
        batch=BatchSpec(max_records=records, max_wait=FAST),
        retry=RetrySpec(initial=FAST, max=FAST, attempts=attempts),  # type: ignore[arg-type]
        on_error=OnErrorSpec(policy=policy),  # type: ignore[arg-type]
        checkpoint=CheckpointSpec(interval=FAST),
    )


class Engine:
    """One pipeline whose runs share a state folder, as restarts of a process do."""

    def __init__(
        self,
        folder: Path,
        source: Source,
        *sinks: Sink,
        pipeline: PipelineSpec | None = None,
        dead_letter: Sink | None = None,
        stage: Stage | None = None,
        clock: Clock | None = None,
        feeds: Sequence[SinkSpec] = (),
        limit: Rate | None = None,
        wrap_store: Callable[[CheckpointStore], CheckpointStore] = lambda store: store,
    ) -> None:
        self.folder = folder
        self.clock = clock or SystemClock()
        self.wrap_store = wrap_store
        self.progress = Progress()
        self.update: Callable[[], Progress] = lambda: self.progress
        feeds = feeds or [SinkSpec(type="memory") for _ in sinks]
        read = SourceSpec(type="memory", rate_limit=limit)
        self.parts = Parts(
            msgspec.structs.replace(pipeline or spec(), sinks=list(feeds)),
            [
                SourcePart(
                    "in", "memory", "$.source", source, lambda: stage or PassStage(len(sinks)), bounded=True, spec=read
                )
            ],
            [
                SinkPart(f"out{i}", "memory", f"$.sinks[{i}]", sink, feed)
                for i, (sink, feed) in enumerate(zip(sinks, feeds, strict=True))
            ],
            SinkPart("dead", "memory", "$.on_error.sink", dead_letter) if dead_letter else None,
        )

    async def run(self, stop: asyncio.Event | None = None) -> Progress:
        """Run once, to the end of the source or until `stop`."""
        self.progress = Progress()
        store = SqliteCheckpoints(self.folder)
        try:
            async with opened(
                self.parts, self.wrap_store(store), self.progress, clock=self.clock, rng=random.Random(1)
            ) as runner:
                self.update = runner.update_progress
                try:
                    await runner.run(stop or asyncio.Event())
                finally:
                    self.update()
                return self.progress
        finally:
            await store.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[Progress]]:
        """Run in the background; leaving stops it and waits for the drain."""
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                yield tasks.create_task(self.run(stop))
                stop.set()
        except BaseExceptionGroup as group:
            raise root_cause(group) from None


def values(count: int, prefix: str = "r") -> Iterable[bytes]:
    return [f"{prefix}{i}".encode() for i in range(count)]
