"""Which policy has the say over a record that can't be processed, and when there are too many of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from tests.unit.pipelines.engine.kit import Engine, spec, values
from wire.core.clock import SystemClock
from wire.core.errors import FatalError, RecordError
from wire.core.units import Quota
from wire.pipelines.engine.assembly import opened
from wire.pipelines.engine.checkpoints import SqliteCheckpoints
from wire.pipelines.engine.parts import build_parts
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.rejecting import about, places_of
from wire.pipelines.lint import lint
from wire.pipelines.spec import OnErrorRule, PipelineSpec
from wire.testing.faults import Reject
from wire.testing.memory import MemorySink, MemorySource

SPEC = PipelineSpec(name="p", transforms=[{"filter": "a"}, {"drop": ["b"]}, {"filter": "c"}, {"enrich": {}}])
PLACES = places_of(
    [("orders", "$.sources[1]"), ("kafka", "$.source"), ("kafka", "$.sinks[0]"), ("index", "$.sinks[10]")], SPEC
)


@pytest.mark.parametrize(
    ("component", "path", "there"),
    [
        ("kafka", "$.sinks[0]", True),
        ("kafka", "$.sinks[0].config.topic", True),
        ("kafka", "$.source.config.format", True),
        ("kafka", "$.sources[1]", False),
        ("index", "$.sinks[1]", False),
        ("orders", "$.sources[1]", True),
        ("enrich", "$.transforms[3]", True),
        ("enrich", "$.transforms[3].enrich.url", True),
        ("enrich", "$.transforms[2]", False),
        ("filter", "$.transforms[0]", True),
        ("filter", "$.transforms[2]", True),
        ("filter", "$.transforms[1]", False),
        ("transforms[3]", "$.transforms[3]", True),
        ("transforms[3]", "$.transforms[30]", False),
        ("enrich", "", False),
    ],
)
def test_where_an_error_is_from(component: str, path: str, there: bool) -> None:
    rule = OnErrorRule(component=component, policy="skip")
    assert about(rule, PLACES)(RecordError("record.decode", path=path)) is there


@pytest.mark.parametrize(
    ("component", "value"),
    [("file", b'{"a": '), ("cast", b'{"a": "x"}'), ("transforms[0]", b'{"a": "x"}'), ("out", b'{"a": 1, "b": "x"}')],
)
async def test_components_are_found_by_the_errors_that_they_really_make(
    tmp_path: Path, component: str, value: bytes
) -> None:
    """What is wrong with the record is told by a compiled stage; one rule is about it, and all else would stop it."""
    (tmp_path / "in.jsonl").write_bytes(value + b"\n")
    text = f"""
name: p
source: {{type: file, config: {{path: {tmp_path}/in.jsonl}}}}
transforms: [cast: {{a: bigint}}]
sink: {{type: file, name: out, when: "b::BIGINT > 0", config: {{path: {tmp_path}/out.jsonl}}}}
on_error: {{policy: fail, rules: [{{component: "{component}", policy: skip}}]}}
"""
    parts = build_parts(lint(text).require(), bounded=True)
    store, progress = SqliteCheckpoints(tmp_path / "state"), Progress()
    try:
        async with opened(parts, store, progress, clock=SystemClock(), rng=Random(1)) as runner:
            await runner.run(asyncio.Event())
    finally:
        await store.close()
    assert progress.skipped == 1


@pytest.mark.parametrize(
    ("codes", "component", "fits"),
    [
        (["record.decode"], None, True),
        (["record.*"], None, True),
        (["sink.*", "record.dec*"], None, True),
        (["sink.*"], None, False),
        (["*"], "orders", True),
        (["*"], "index", False),
    ],
)
def test_a_rule_fits_by_code_and_component(codes: list[str], component: str | None, fits: bool) -> None:
    rule = OnErrorRule(codes=codes, component=component, policy="skip")
    assert about(rule, PLACES)(RecordError("record.decode", path="$.sources[1].config.format")) is fits


def pipeline(policy: str, *rules: OnErrorRule, quota: str | None = None, records: int = 4) -> PipelineSpec:
    usual = spec(policy, records=records)
    most = None if quota is None else Quota.parse(quota)
    on_error = msgspec.structs.replace(usual.on_error, rules=list(rules), max_dead_letters=most)
    return msgspec.structs.replace(usual, on_error=on_error)


ROWS = [b"r0", b"bad", b"r2", b"r3"]
POISON = Reject({b"r2": RecordError("sink.poison")})


async def run(tmp_path: Path, asked: PipelineSpec, dead: MemorySink | None = None) -> tuple[Engine, MemorySink]:
    sink = MemorySink(script=[POISON])
    engine = Engine(tmp_path, MemorySource({"p": ROWS}), sink, pipeline=asked, dead_letter=dead, clock=LoopClock())
    await engine.run()
    return engine, sink


@in_virtual_time
async def test_each_record_goes_the_way_of_the_first_rule_that_fits(tmp_path: Path) -> None:
    dead = MemorySink()
    asked = pipeline(
        "fail",
        OnErrorRule(codes=["record.*"], policy="skip"),
        OnErrorRule(component="out0", policy="dead_letter"),
        OnErrorRule(policy="skip"),
    )
    engine, sink = await run(tmp_path, asked, dead)
    assert sink.values() == [b"r0", b"r3"]
    assert [record.value for record in dead.records()] == [b"r2"]
    assert (engine.progress.skipped, engine.progress.dead_lettered) == (1, 1)


@in_virtual_time
async def test_what_no_rule_fits_goes_the_usual_way(tmp_path: Path) -> None:
    dead = MemorySink()
    await run(tmp_path, pipeline("dead_letter", OnErrorRule(codes=["sink.poison"], policy="skip")), dead)
    assert [record.value for record in dead.records()] == [b"bad"]


@in_virtual_time
async def test_a_rule_may_stop_the_pipeline_where_the_usual_is_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(FatalError) as caught:
        await run(tmp_path, pipeline("skip", OnErrorRule(component="out0", policy="fail")))
    assert caught.value.code == "sink.poison"


@in_virtual_time
async def test_too_many_dead_letters_stop_the_pipeline_and_nothing_is_lost(tmp_path: Path) -> None:
    dead = MemorySink()
    rows = [b"bad%d" % n if n % 10 == 0 else b"r%d" % n for n in range(1000)]
    sink = MemorySink()
    engine = Engine(
        tmp_path,
        MemorySource({"p": rows}),
        sink,
        pipeline=pipeline("dead_letter", quota="5%/1m"),
        dead_letter=dead,
        clock=LoopClock(),
    )
    with pytest.raises(FatalError) as caught:
        await engine.run()
    assert (caught.value.code, caught.value.path) == ("pipeline.too_many_dead_letters", "$.on_error.max_dead_letters")
    assert "5%/1m" in caught.value.message
    assert engine.progress.read < 200
    engine.parts = type(engine.parts)(
        pipeline("dead_letter"), engine.parts.sources, engine.parts.sinks, engine.parts.dead_letter
    )
    await engine.run()
    found = {record.value for record in dead.records()} | set(sink.values())
    assert found == set(rows)


@in_virtual_time
async def test_as_many_as_allowed_are_no_reason_to_stop(tmp_path: Path) -> None:
    rows = [b"bad" if n % 20 == 0 else b"r%d" % n for n in range(1000)]
    engine = Engine(
        tmp_path, MemorySource({"p": rows}), MemorySink(), pipeline=pipeline("skip", quota="50/1h"), clock=LoopClock()
    )
    assert (await engine.run()).skipped == 50


@in_virtual_time
async def test_what_was_skipped_counts_too(tmp_path: Path) -> None:
    source = MemorySource({"p": [*values(4), b"bad", b"bad"]})
    engine = Engine(tmp_path, source, MemorySink(), pipeline=pipeline("skip", quota="1/1h"), clock=LoopClock())
    with pytest.raises(FatalError, match=r"1/1h"):
        await engine.run()


@in_virtual_time
async def test_what_a_sink_says_of_its_configuration_is_found_by_its_name(tmp_path: Path) -> None:
    sink = MemorySink(script=[Reject({b"r1": RecordError("sink.poison", path="id")})])
    asked = pipeline("fail", OnErrorRule(component="out0", policy="skip"))
    engine = Engine(tmp_path, MemorySource({"p": values(3)}), sink, pipeline=asked, clock=LoopClock())
    progress = await engine.run()
    assert progress.skipped == 1
    assert progress.reasons["sink.poison"].path == "$.sinks[0].config.id"
