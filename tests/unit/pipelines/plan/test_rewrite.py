"""What `whole` and `rewrite` of the builder promise to the transforms that see a record as one dict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import ALL, JSON, node, run, written
from wire.core.formats import CsvFormat, Format
from wire.pipelines.plan import Builder, CompiledStage, compile_stage


@dataclass
class Emits:
    """A transform that is one call on the builder."""

    emit: Callable[[Builder], None]


def stage(*nodes: Any, source: Format = JSON) -> CompiledStage:
    return compile_stage(source, "flights", nodes, (ALL,))


def seeing(seen: list[Any]) -> Emits:
    return Emits(lambda b: b.statement(f"{b.constant(seen)}.append(dict({b.whole()}))"))


def upper(row: dict[str, Any]) -> dict[str, Any]:
    return {name.upper(): value for name, value in row.items()}


UPPER = Emits(lambda b: b.rewrite(f"{b.constant(upper)}({b.whole()})"))


def test_a_record_that_is_only_looked_at_is_passed_on_as_the_bytes_it_came_in() -> None:
    seen: list[Any] = []
    result = run(stage(seeing(seen), node({"filter": "a > 1"})), b'{"a":  1}', b'{"a":  2}', None)
    assert seen == [{"a": 1}, {"a": 2}]
    assert [record.value for record in result.outputs[0].records] == [b'{"a":  2}', None]


@pytest.mark.parametrize("first", [{"select": "*, a + 1 AS n"}, {"select": "a, a + 1 AS n"}])
def test_changes_before_are_seen_and_changes_after_are_not(first: dict[str, Any]) -> None:
    seen: list[Any] = []
    steps = [node(first), node({"rename": {"a": "b"}}), seeing(seen), node({"rename": {"b": "c"}}), seeing(seen)]
    result = run(stage(*steps, node({"select": "*, c + n AS sum, b AS gone"})), {"a": 1})
    assert seen == [{"b": 1, "n": 2}, {"c": 1, "n": 2}]
    assert written(result) == [{"n": 2, "c": 1, "sum": 3, "gone": None}]


@pytest.mark.parametrize(
    "first", [{"select": "*, TIMESTAMP '2013-01-01' AS t"}, {"select": "a, TIMESTAMP '2013-01-01' AS t"}]
)
def test_values_of_types_json_lacks_are_written_as_ever(first: dict[str, Any]) -> None:
    for last in ([], [node({"drop": ["x"]})], [node({"rename": {"t": "u", "T": "U"}})]):
        for middle in ([UPPER], [seeing([])], [seeing([]), UPPER]):
            (row,) = written(run(stage(node(first), *middle, *last), {"a": 1}))
            assert "2013-01-01T00:00:00Z" in row.values()


def test_timestamps_of_csv_survive_being_rewritten() -> None:
    source = CsvFormat(columns=["a", "t"], types={"t": "timestamp"})
    compiled = stage(node({"filter": "a <> ''"}), UPPER, node({"select": "*, year(T) AS y"}), source=source)
    assert written(run(compiled, b"1,2013-01-01 10:00:00", None)) == [
        {"A": "1", "T": "2013-01-01T10:00:00Z", "y": 2013},
        None,
    ]


def test_json_that_stays_json_is_known_to_be() -> None:
    known: list[bool] = []
    notes = Emits(lambda b: known.append(b.holds_json()))
    typed = node({"select": "*, TIMESTAMP '2013-01-01' AS t"})
    stage(notes, UPPER, notes, node({"select": "*, 1 AS n"}), notes, typed, notes, UPPER, notes)
    assert known == [True, True, True, False, False]
    known.clear()
    stage(node({"select": "a"}), notes, UPPER, notes, node({"select": "TIMESTAMP '2013-01-01' AS t"}), notes)
    assert known == [True, True, False]
