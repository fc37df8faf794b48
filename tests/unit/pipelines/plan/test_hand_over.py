"""What `apply`, `wait_for` and `explode` of the builder promise to the transforms that use them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tests.unit.pipelines.transforms.kit import ALL, JSON, batch, codes, node, written
from wire.core.errors import RecordError, RetryableError
from wire.pipelines.plan import Builder, CompiledStage, compile_stage
from wire.pipelines.plan.builder import Arrived, Failures, Values
from wire.pipelines.stage import StageResult


@dataclass
class Emits:
    """A transform that is one call on the builder."""

    emit: Callable[[Builder], None]


def stage(*nodes: Any) -> CompiledStage:
    return compile_stage(JSON, "flights", nodes, (ALL,))


def run_waiting(compiled: CompiledStage, *values: Any) -> StageResult:
    encoded = [None if value is None else msgspec.json.encode(value) for value in values]

    async def run() -> StageResult:
        return await compiled.run_waiting(batch(*encoded))

    return asyncio.run(run())


async def ask(arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
    """Answer by name; nobody knows `x`, and `y` is dropped."""
    await asyncio.sleep(0)
    good: Arrived = []
    answers: Values = []
    for entry, value in zip(arrived, values, strict=True):
        if value is not None and value["name"] == "x":
            failures.append((entry[0], RecordError("record.failed", "unknown")))
            continue
        good.append(entry)
        answers.append(None if value is None or value["name"] == "y" else {**value, "known": True})
    return good, answers


def test_a_stage_that_asks_someone_waits_for_the_answer_between_its_loops() -> None:
    compiled = stage(node({"filter": "n > 0"}), Emits(lambda b: b.wait_for(ask)), node({"select": "*, n + 1 AS m"}))
    rows = [{"n": 0, "name": "a"}, {"n": 1, "name": "b"}, {"n": 2, "name": "x"}, {"n": 3, "name": "y"}, None]
    result = run_waiting(compiled, *rows)
    assert compiled.waits
    assert written(result) == [{"n": 1, "name": "b", "known": True, "m": 2}, None]
    assert (codes(result), result.filtered) == ([(2, "record.failed")], 2)


def test_a_stage_that_asks_nobody_does_not_wait() -> None:
    assert not stage(node({"filter": "n > 0"})).waits


def test_an_answer_that_does_not_come_is_raised_with_the_transforms_place() -> None:
    async def nobody(arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
        raise RetryableError("source.generate.failed", "nobody answers")

    with pytest.raises(RetryableError) as caught:
        run_waiting(stage(Emits(lambda b: b.wait_for(nobody))), {"n": 1})
    assert caught.value.path == "$.transforms[0]"


def test_several_batches_may_wait_in_one_stage_at_a_time() -> None:
    compiled = stage(Emits(lambda b: b.wait_for(ask)))

    async def both() -> list[StageResult]:
        batches = [batch(b'{"name": "a"}'), batch(b'{"name": "b"}')]
        return list(await asyncio.gather(*(compiled.run_waiting(each) for each in batches)))

    assert [written(result) for result in asyncio.run(both())] == [
        [{"name": "a", "known": True}],
        [{"name": "b", "known": True}],
    ]


def twice(arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
    """Make two of every record, one of a tombstone."""
    entries: Arrived = []
    rows: Values = []
    for (index, record, ts_ms), value in zip(arrived, values, strict=True):
        for ordinal in range(1 if value is None else 2):
            part = msgspec.structs.replace(record, ordinal=ordinal)
            entries.append((index, part, ts_ms))
            rows.append(value and {**value, "part": ordinal})
    return entries, rows


def test_records_made_of_one_share_its_coordinates_and_differ_in_their_ordinal() -> None:
    compiled = stage(Emits(lambda b: b.explode(twice)))
    result = compiled.run(batch(b'{"n": 1}', None, b'{"n": 2}'))
    assert written(result) == [{"n": 1, "part": 0}, {"n": 1, "part": 1}, None, {"n": 2, "part": 0}, {"n": 2, "part": 1}]
    ids = [(record.offset, record.ordinal, record.key) for record in result.outputs[0].records]
    assert ids == [(0, 0, b"k0"), (0, 1, b"k0"), (10, 0, b"k1"), (20, 0, b"k2"), (20, 1, b"k2")]


def test_parts_that_fail_are_one_failure_of_the_record_they_were_made_of() -> None:
    compiled = stage(Emits(lambda b: b.explode(twice)), node({"select": "1 / CAST(word AS INT) AS x, part"}))
    result = compiled.run(batch(b'{"word": "a"}', b'{"word": "1"}'))
    assert [index for index, _ in result.failures] == [0]
    assert written(result) == [{"x": 1.0, "part": 0}, {"x": 1.0, "part": 1}]


def test_what_a_stage_puts_out_names_its_source() -> None:
    result = stage(node({"filter": "n > 0"})).run(batch(b'{"n": 1}', b'{"n": 2}'))
    assert result.outputs[0].source == "flights"
    assert result.outputs[0].take([1]).source == "flights"


async def test_what_transforms_hold_is_let_go_of_once_the_last_transform_first() -> None:
    closed: list[str] = []

    def closing(name: str) -> Emits:
        async def close() -> None:
            closed.append(name)

        return Emits(lambda builder: builder.on_close(close))

    compiled = stage(closing("first"), node({"filter": "n > 0"}), closing("last"))
    assert closed == []
    await compiled.close()
    await compiled.close()
    assert closed == ["last", "first"]


def test_a_record_keeps_the_ordinal_its_source_gave_it() -> None:
    given = batch(b'{"n": 1}', b'{"n": 2}')
    given.records = [msgspec.structs.replace(record, ordinal=5 + i) for i, record in enumerate(given.records)]
    for nodes in ([], [node({"select": "n + 1 AS n"})]):
        (out,) = stage(*nodes).run(given).outputs
        assert [record.ordinal for record in out.records] == [5, 6]
