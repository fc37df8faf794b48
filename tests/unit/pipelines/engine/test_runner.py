from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.errors import FatalError, RecordError, RetryableError, UnavailableError
from wire.core.records import Position
from wire.testing.faults import Hang, Raise, Reject
from wire.testing.memory import ABORT, EOF, GAP, MemorySink, MemorySource, MemoryTransactionalSink

AWAY = RetryableError("sink.away", "away")
POISON = RecordError("sink.poison", "poison")


async def test_everything_read_is_written_in_order_and_released_up_to_the_end(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(10), "q": values(7, "q")}), MemorySink()
    progress = await Engine(tmp_path, source, sink).run()
    assert sink.values("p") == values(10)
    assert sink.values("q") == values(7, "q")
    assert source.pruned("p") == 10
    assert source.pruned("q") == 7
    assert (progress.state, progress.read, progress.written, progress.pending) == ("done", 17, 17, 0)


async def test_a_second_run_goes_on_behind_the_first(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [*values(5), EOF, *values(5, "s")]}), MemorySink()
    engine = Engine(tmp_path, source, sink)
    await engine.run()
    assert sink.values() == values(5)
    await engine.run()
    assert sink.values() == [*values(5), *values(5, "s")]


async def test_filtered_records_and_gaps_move_the_checkpoint(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [b"skip1", GAP, b"skip2", GAP]}), MemorySink()
    progress = await Engine(tmp_path, source, sink).run()
    assert sink.values() == []
    assert progress.filtered == 2
    assert source.pruned("p") == 4


async def test_a_read_that_fails_is_read_again_and_nothing_is_missing(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [*values(3), ABORT, *values(3, "s")]}), MemorySink()
    await Engine(tmp_path, source, sink).run()
    assert sink.values() == [*values(3), *values(3, "s")]


async def test_a_failed_write_is_repeated_before_anything_newer_is_written(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(20)}), MemorySink(script=[None, Raise(AWAY, after=2), Raise(AWAY)])
    progress = await Engine(tmp_path, source, sink).run()
    assert list(dict.fromkeys(sink.values())) == values(20)
    assert progress.sinks[0].retried > 0


async def test_of_several_writes_in_flight_those_that_fail_are_repeated_in_order(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = [Hang(gate), Raise(AWAY), Raise(AWAY), Raise(AWAY)]
    source, sink = MemorySource({"p": values(200)}), MemorySink(max_in_flight=4, script=script)
    async with Engine(tmp_path, source, sink).running():
        await until(lambda: sink.in_flight == 4)
        gate.set()
        await until(lambda: source.pruned("p") == 200)
    assert sink.values() == values(200)
    assert sink.peak_in_flight == 4


async def test_only_the_refused_records_are_written_again(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(4)}), MemorySink(script=[Reject({b"r1": AWAY, b"r2": AWAY})])
    progress = await Engine(tmp_path, source, sink).run()
    assert sink.values() == [b"r0", b"r3", b"r1", b"r2"]
    assert progress.written == 4


async def test_without_a_policy_a_bad_record_stops_the_pipeline_and_is_met_again(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [b"r0", b"bad", b"r1"]}), MemorySink()
    engine = Engine(tmp_path, source, sink)
    for _ in range(2):
        with pytest.raises(FatalError, match="in/p@1") as caught:
            await engine.run()
        assert caught.value.code == "record.decode"
        assert engine.progress.state == "failed"
    assert source.pruned("p") == 0


async def test_a_dead_letter_keeps_the_original_bytes_and_says_why_and_where_from(tmp_path: Path) -> None:
    source, sink, dead = MemorySource({"p": [b"r0", b"bad\xff", b"r1"]}), MemorySink(), MemorySink()
    progress = await Engine(tmp_path, source, sink, pipeline=spec("dead_letter"), dead_letter=dead).run()
    assert sink.values() == [b"r0", b"r1"]
    (letter,) = dead.records()
    assert letter.value == b"bad\xff"
    headers = dict(letter.headers)
    assert headers["wire-error-code"] == b"record.decode"
    assert headers["wire-error-source"] == b"in/p@1"
    assert progress.dead_lettered == 1
    assert source.pruned("p") == 3


async def test_a_record_the_sink_refuses_is_dead_lettered_as_the_source_gave_it(tmp_path: Path) -> None:
    source, sink, dead = MemorySource({"p": values(3)}), MemorySink(script=[Reject({b"r1": POISON})]), MemorySink()
    await Engine(tmp_path, source, sink, pipeline=spec("dead_letter"), dead_letter=dead).run()
    assert sink.values() == [b"r0", b"r2"]
    assert dead.values() == [b"r1"]


async def test_a_dead_letter_sink_that_refuses_stops_the_pipeline(tmp_path: Path) -> None:
    source, sink, dead = MemorySource({"p": [b"bad"]}), MemorySink(), MemorySink(refuse=lambda _: POISON)
    with pytest.raises(FatalError) as caught:
        await Engine(tmp_path, source, sink, pipeline=spec("dead_letter"), dead_letter=dead).run()
    assert caught.value.code == "pipeline.dead_letter_refused"
    assert source.pruned("p") == 0


async def test_nothing_is_released_before_the_dead_letter_is_durable(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, sink, dead = MemorySource({"p": [b"bad", b"r1"]}), MemorySink(), MemorySink(script=[Hang(gate)])
    engine = Engine(tmp_path, source, sink, pipeline=spec("dead_letter"), dead_letter=dead)
    async with engine.running():
        await until(lambda: sink.values() == [b"r1"])
        assert source.released == []
        gate.set()
        await until(lambda: source.pruned("p") == 2)


async def test_skip_drops_and_counts(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [b"bad", b"r1"]}), MemorySink()
    progress = await Engine(tmp_path, source, sink, pipeline=spec("skip")).run()
    assert (sink.values(), progress.skipped) == ([b"r1"], 1)


async def test_a_batch_is_settled_only_when_every_sink_has_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, quick, slow = MemorySource({"p": values(3)}), MemorySink(), MemorySink(script=[Hang(gate)])
    async with Engine(tmp_path, source, quick, slow).running():
        await until(lambda: len(quick.values()) == 3)
        assert source.released == []
        gate.set()
        await until(lambda: source.pruned("p") == 3)


async def test_while_a_sink_hangs_reading_stops_and_memory_stays_bounded(tmp_path: Path) -> None:
    gate = asyncio.Event()
    source, sink = MemorySource({"p": values(1000), "q": values(1000)}), MemorySink(script=[Hang(gate)])
    engine = Engine(tmp_path, source, sink)
    async with engine.running():
        await until(lambda: sink.in_flight == 1 and engine.progress.read >= 4 * 8)
        for _ in range(100):
            await asyncio.sleep(0)
        assert engine.progress.read <= 4 * 8 + 2 * 4
        gate.set()
        await until(lambda: engine.progress.written == 2000)


async def test_retries_end_where_the_pipeline_says_so(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(1)}), MemorySink(script=[Raise(AWAY)] * 3)
    with pytest.raises(FatalError) as caught:
        await Engine(tmp_path, source, sink, pipeline=spec(attempts=3)).run()
    assert caught.value.code == "pipeline.retries_exhausted"


async def test_stop_drains_what_was_read_and_commits_it(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(50)}, bounded=False), MemorySink()
    engine = Engine(tmp_path, source, sink)
    async with engine.running():
        await until(lambda: len(sink.values()) == 50)
    assert engine.progress.state == "stopped"
    assert source.pruned("p") == 50


async def test_a_second_run_on_the_same_state_folder_is_refused(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(1)}, bounded=False), MemorySink()
    engine = Engine(tmp_path, source, sink)
    async with engine.running():
        await until(lambda: len(sink.values()) == 1)
        with pytest.raises(UnavailableError) as caught:
            await Engine(tmp_path, source, MemorySink()).run()
        assert caught.value.code == "checkpoint.locked"


@pytest.mark.parametrize("sinks", [1, 2])
async def test_a_transactional_sink_gets_every_record_once_however_often_the_run_fails(
    tmp_path: Path, sinks: int
) -> None:
    source = MemorySource({"p": values(60), "q": values(60, "q")})
    boom = FatalError("test.boom", "boom")
    outs = [
        MemoryTransactionalSink(
            script=[*[None] * (3 + i), Raise(boom, after=1), *[None] * 5, Raise(boom)],
            commit_script=[None, None, Raise(boom)],
            committed_script=[None, None, None, Raise(boom)],
        )
        for i in range(sinks)
    ]
    engine = Engine(tmp_path, source, *outs)
    while engine.progress.state != "done":
        with contextlib.suppress(FatalError):
            await engine.run()
    for out in outs:
        assert out.values("p") == values(60)
        assert out.values("q") == values(60, "q")


async def test_a_commit_that_fails_for_now_is_repeated(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(5)}), MemoryTransactionalSink(commit_script=[Raise(AWAY), Raise(AWAY)])
    await Engine(tmp_path, source, sink).run()
    assert sink.values() == values(5)
    assert source.released[-1] == ("p", Position(b"5"))


@in_virtual_time
async def test_a_task_that_has_work_and_moves_none_of_it_is_reported(tmp_path: Path) -> None:
    gate = asyncio.Event()
    engine = Engine(tmp_path, MemorySource({"p": values(4)}), MemorySink(script=[Hang(gate)]), clock=LoopClock())
    with capture_logs() as said:
        async with engine.running() as running:
            await asyncio.sleep(100)
            gate.set()
            await running
    reports = [entry for entry in said if entry["event"] == "no_progress"]
    assert [(entry["log_level"], entry["pending"]) for entry in reports] == [("warning", 4)] * 2
