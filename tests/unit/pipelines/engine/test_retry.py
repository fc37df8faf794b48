from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from wire.core.errors import FatalError, RetryableError
from wire.core.units import Duration
from wire.pipelines.engine.retry import Backoff
from wire.pipelines.spec import CheckpointSpec, PipelineSpec, RetryRule, RetrySpec, SinkSpec
from wire.testing.faults import Raise, Reject
from wire.testing.memory import MemorySink, MemorySource

AWAY = RetryableError("sink.away", "away", hint="start it")


def waits(spec: RetrySpec, count: int) -> list[float]:
    backoff = Backoff(spec, random.Random(7))
    return [backoff.next_s(AWAY) for _ in range(count)]


def test_waits_stay_below_a_ceiling_that_doubles_up_to_the_maximum() -> None:
    spec = RetrySpec(initial=Duration(1000), max=Duration(8000))
    for attempt, wait in enumerate(waits(spec, 40)):
        assert 0 <= wait <= min(8.0, 2.0**attempt)


def test_the_jitter_is_full() -> None:
    spec = RetrySpec(initial=Duration(1000), max=Duration(1000))
    found = waits(spec, 500)
    assert min(found) < 0.05
    assert max(found) > 0.95


def test_it_never_waits_less_than_the_other_side_asked_for() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1)), random.Random(7))
    assert backoff.next_s(RetryableError("sink.busy", after_s=30)) == 30


def test_it_gives_up_after_the_configured_attempts_and_says_why() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1), attempts=3), random.Random(7))
    backoff.next_s(AWAY)
    backoff.next_s(AWAY)
    with pytest.raises(FatalError, match=r"3 attempts.*sink\.away") as caught:
        backoff.next_s(AWAY)
    assert caught.value.hint == "start it"


def test_a_success_starts_the_count_anew() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1), attempts=2), random.Random(7))
    for _ in range(5):
        backoff.next_s(AWAY)
        backoff.reset()


def test_a_year_of_failures_overflows_nothing() -> None:
    backoff = Backoff(RetrySpec(initial=Duration(1), max=Duration(10), factor=10), random.Random(7))
    backoff.attempts = 10**6
    assert backoff.next_s(AWAY) <= 10


def test_a_huge_factor_overflows_nothing() -> None:
    assert max(waits(RetrySpec(initial=Duration(1), max=Duration(10), factor=1e30), 100)) <= 10


def rules(*given: tuple[str, int, str]) -> RetrySpec:
    return RetrySpec(
        initial=Duration(1), rules=[RetryRule(codes=[code], attempts=n, then=then) for code, n, then in given]
    )


def test_the_first_rule_that_fits_an_error_counts() -> None:
    spec = rules(("sink.b*", 2, "reject"), ("sink.*", 5, "fail"), ("*", 7, "reject"))
    backoff = Backoff(spec, random.Random(7), "$.sinks[1].retry")
    found = [backoff.limit_of_record(RetryableError(code)) for code in ("sink.busy", "sink.away", "source.away")]
    assert [(limit.attempts, limit.then) for limit in found] == [(2, "reject"), (5, "fail"), (7, "reject")]
    assert found[1].path == "$.sinks[1].retry.rules[1]"


def test_what_is_no_record_is_not_rejected_but_tried_as_usual() -> None:
    backoff = Backoff(rules(("*", 1, "reject")), random.Random(7))
    for _ in range(10):
        backoff.next_s(AWAY)
    assert backoff.limit_of_record(AWAY).attempts == 1


def test_a_rule_may_stop_the_pipeline_at_once() -> None:
    backoff = Backoff(rules(("sink.away", 1, "fail")), random.Random(7))
    with pytest.raises(FatalError, match=r"after 1 attempt; .*sink\.away") as caught:
        backoff.next_s(AWAY)
    assert caught.value.path == "$.retry.rules[0]"


def as_rules(code: str, attempts: int, then: str = "reject", policy: str = "skip") -> PipelineSpec:
    retry = msgspec.structs.replace(rules((code, attempts, then)), max=Duration(1))
    return msgspec.structs.replace(spec(policy), retry=retry)


@in_virtual_time
async def test_a_record_that_was_tried_often_enough_is_put_aside_and_the_others_are_not(tmp_path: Path) -> None:
    sink, dead = MemorySink(script=[Reject({b"r1": AWAY})] * 3), MemorySink()
    engine = Engine(
        tmp_path,
        MemorySource({"p": values(4)}),
        sink,
        pipeline=as_rules("sink.away", 3, policy="dead_letter"),
        dead_letter=dead,
        clock=LoopClock(),
    )
    progress = await engine.run()
    assert sorted(v or b"" for v in sink.values()) == [b"r0", b"r2", b"r3"]
    (letter,) = dead.records()
    headers = dict(letter.headers)
    assert (letter.value, headers["wire-error-code"], headers["wire-error-attempts"]) == (b"r1", b"sink.away", b"3")
    assert (progress.written, progress.dead_lettered, progress.sinks[0].retried) == (3, 1, 2)


@in_virtual_time
async def test_each_record_has_its_own_attempts(tmp_path: Path) -> None:
    """Eight records are refused twice each, one after the other, without any being tried three times."""
    script = [Reject({b"r%d" % n: AWAY}) for n in range(8) for _ in range(2)]
    sink = MemorySink(script=script)
    engine = Engine(
        tmp_path, MemorySource({"p": values(8)}), sink, pipeline=as_rules("*", 3, "fail"), clock=LoopClock()
    )
    progress = await engine.run()
    assert (progress.written, progress.skipped) == (8, 0)


@in_virtual_time
async def test_a_write_that_fails_whole_counts_for_each_of_its_records(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(AWAY)] * 2)
    engine = Engine(tmp_path, MemorySource({"p": values(8)}), sink, pipeline=as_rules("*", 2), clock=LoopClock())
    progress = await engine.run()
    assert (progress.skipped, progress.written) == (4, 4)
    assert sink.values() == values(8)[4:]  # type: ignore[index]


@in_virtual_time
async def test_the_dead_letter_sink_rejects_nothing_for_having_been_tried_too_often(tmp_path: Path) -> None:
    dead = MemorySink(script=[Raise(AWAY)] * 20)
    engine = Engine(
        tmp_path,
        MemorySource({"p": [b"bad", b"r1"]}),
        MemorySink(),
        pipeline=as_rules("*", 1, policy="dead_letter"),
        dead_letter=dead,
        clock=LoopClock(),
    )
    progress = await engine.run()
    assert (progress.dead_lettered, progress.written) == (1, 1)


@in_virtual_time
async def test_a_sink_has_a_policy_of_its_own(tmp_path: Path) -> None:
    patient, hasty = MemorySink(script=[Raise(AWAY)] * 9), MemorySink(script=[Raise(AWAY)] * 9)
    own = SinkSpec(type="memory", retry=RetrySpec(initial=Duration(1), max=Duration(1), attempts=3))
    engine = Engine(
        tmp_path,
        MemorySource({"p": values(4)}),
        patient,
        hasty,
        pipeline=spec(),
        clock=LoopClock(),
        feeds=[SinkSpec(type="memory"), own],
    )
    with pytest.raises(FatalError) as caught:
        await engine.run()
    assert (caught.value.code, caught.value.path) == ("pipeline.retries_exhausted", "$.sinks[1].retry.attempts")


@in_virtual_time
async def test_who_is_given_up_holds_up_nobody(tmp_path: Path) -> None:
    """One record in ten is refused for now, each time, and is not worth a second attempt."""
    rows = [b"r%d" % n for n in range(3000)]
    script = [Reject(dict.fromkeys(rows[3::10], AWAY)) for _ in range(3000)]
    retry = msgspec.structs.replace(rules(("*", 1, "reject")), initial=Duration(1000), max=Duration(600_000))
    pipeline = msgspec.structs.replace(spec("skip", records=20), retry=retry)
    sink = MemorySink(script=script)
    engine = Engine(tmp_path, MemorySource({"p": rows}), sink, pipeline=pipeline, clock=LoopClock())
    progress = await engine.run()
    assert (progress.written, progress.skipped) == (2700, 300)
    assert asyncio.get_running_loop().time() < 60


@in_virtual_time
async def test_in_an_outage_that_does_not_end_whole_writes_are_given_up(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(AWAY)] * 100_000)
    retry = msgspec.structs.replace(rules(("*", 3, "reject")), initial=Duration(1000), max=Duration(10_000))
    seldom = CheckpointSpec(interval=Duration(60_000))
    pipeline = msgspec.structs.replace(spec("skip", records=100), retry=retry, checkpoint=seldom)
    engine = Engine(tmp_path, MemorySource({"p": values(1000)}), sink, pipeline=pipeline, clock=LoopClock())
    progress = await engine.run()
    assert progress.skipped == 1000
    assert asyncio.get_running_loop().time() < 3000


@in_virtual_time
async def test_failures_under_another_limit_do_not_count(tmp_path: Path) -> None:
    """A sink that was away for long, and is busy when it comes back: its records have been refused once only."""
    busy = RetryableError("sink.busy", "busy")
    sink = MemorySink(script=[*[Raise(AWAY)] * 12, Raise(busy), Raise(busy)])
    engine = Engine(
        tmp_path, MemorySource({"p": values(4)}), sink, pipeline=as_rules("sink.busy", 3), clock=LoopClock()
    )
    progress = await engine.run()
    assert (progress.written, progress.skipped) == (4, 0)


@in_virtual_time
async def test_what_stops_a_pipeline_after_many_attempts_says_so(tmp_path: Path) -> None:
    sink = MemorySink(script=[Raise(AWAY)] * 9)
    engine = Engine(
        tmp_path, MemorySource({"p": values(4)}), sink, pipeline=as_rules("*", 3, policy="fail"), clock=LoopClock()
    )
    with pytest.raises(FatalError, match=r"away, in the record .*, after 3 attempts"):
        await engine.run()
