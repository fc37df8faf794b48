"""What a writer counts by itself shows in the progress, and what a reset means reaches the sink."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.unit.pipelines.engine.kit import Engine, values
from wire.core.ports import Failure, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId
from wire.pipelines.engine.checkpoints import SqliteCheckpoints
from wire.testing.memory import MemorySink, MemorySource, MemoryWriter


class CountingSink(MemorySink):
    """Counts writes, and remembers of which generation it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.generations: list[int] = []

    async def open(self, task: TaskId, epoch: int, recover: dict[PartitionId, Checkpoint]) -> MemoryWriter:  # type: ignore[override]
        await super().open(task, epoch, recover)
        self.generations.append(task.generation)
        return CountingWriter(self)


class CountingWriter(MemoryWriter):
    def __init__(self, sink: MemorySink) -> None:
        super().__init__(sink)
        self.counts = {"odd": 0}

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        self.counts["odd"] += sum(record.offset % 2 for batch in batches for record in batch.records)
        return await super().write(batches)


async def test_what_a_writer_counts_is_in_the_progress(tmp_path: Path) -> None:
    progress = await Engine(tmp_path, MemorySource({"p": values(9)}), CountingSink(), MemorySink()).run()
    assert [dict(sink.counts) for sink in progress.sinks] == [{"odd": 4}, {}]


async def test_a_sink_learns_of_every_reset(tmp_path: Path) -> None:
    sink = CountingSink()
    for reset in (False, False, True, True):
        if reset:
            store = SqliteCheckpoints(tmp_path)
            await store.begin()
            await store.reset()
            await store.close()
        await Engine(tmp_path, MemorySource({"p": values(1)}), sink).run()
    assert sink.generations == [0, 0, 1, 2]
