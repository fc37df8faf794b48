"""A stage that asks someone outside: what the engine does while there is no answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.unit.pipelines.engine.kit import Engine, PassStage, values
from tests.waiting import until
from wire.core.errors import RetryableError
from wire.core.records import Batch
from wire.pipelines.stage import StageResult
from wire.testing.memory import MemorySink, MemorySource, MemoryTransactionalSink

AWAY = RetryableError("sink.away", "nobody answers")


class Asking(PassStage):
    """Waits for `answer` for partition `p`, and fails `failures` times before."""

    waits = True

    def __init__(self, *, failures: int = 0) -> None:
        super().__init__(1)
        self.answer = asyncio.Event()
        self.failures = failures
        self.asked = 0

    async def run_waiting(self, batch: Batch) -> StageResult:
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise AWAY
        if batch.partition == "p":
            await self.answer.wait()
        return self.run(batch)


async def test_who_does_not_answer_is_asked_again_and_nothing_is_missing(tmp_path: Path) -> None:
    source, sink, stage = MemorySource({"q": values(10)}), MemorySink(), Asking(failures=3)
    await Engine(tmp_path, source, sink, stage=stage).run()
    assert sink.values() == values(10)
    assert stage.asked >= 4


async def test_a_stop_does_not_wait_for_the_answer_and_what_was_asked_is_read_again(tmp_path: Path) -> None:
    source, sink, stage = MemorySource({"p": values(10)}), MemorySink(), Asking()
    async with Engine(tmp_path, source, sink, stage=stage).running():
        await until(lambda: stage.asked == 1)
    assert (sink.values(), source.pruned("p")) == ([], 0)
    stage.answer.set()
    await Engine(tmp_path, source, sink, stage=stage).run()
    assert sink.values() == values(10)


async def test_other_partitions_go_on_and_are_committed_while_one_waits(tmp_path: Path) -> None:
    source, sink, stage = MemorySource({"p": values(4), "q": values(4, "s")}), MemoryTransactionalSink(), Asking()
    async with Engine(tmp_path, source, sink, stage=stage).running():
        await until(lambda: source.pruned("q") == 4)
        assert (sink.values(), source.pruned("p")) == (values(4, "s"), 0)
        stage.answer.set()
        await until(lambda: source.pruned("p") == 4)
    assert sorted(sink.values()) == sorted([*values(4), *values(4, "s")])


class Small(PassStage):
    """Asks for small batches, and notes how large they are."""

    max_records = 3

    def __init__(self) -> None:
        super().__init__(1)
        self.sizes: list[int] = []

    def run(self, batch: Batch) -> StageResult:
        self.sizes.append(len(batch.records))
        return super().run(batch)


async def test_a_stage_gets_batches_as_small_as_it_asks_for(tmp_path: Path) -> None:
    source, sink, stage = MemorySource({"p": values(10)}), MemorySink(), Small()
    await Engine(tmp_path, source, sink, stage=stage).run()
    assert (sink.values(), stage.sizes) == (values(10), [3, 3, 3, 1])


async def test_a_stage_is_closed_once_when_the_run_is_over(tmp_path: Path) -> None:
    source, sink, stage = MemorySource({"p": values(10)}), MemorySink(), PassStage(1)
    await Engine(tmp_path, source, sink, stage=stage).run()
    assert (sink.values(), stage.closed) == (values(10), 1)
