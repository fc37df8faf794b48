"""Running a pipeline's transforms on plain values, for `wire test`: no source, no sink, no formats."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from wire.core.clock import Clock
from wire.core.errors import RecordError, WireError
from wire.core.formats import CsvFormat, Format
from wire.core.records import Batch, PartitionId, Position, Record
from wire.pipelines.codecs.cells import cell_reader
from wire.pipelines.codecs.json import encode
from wire.pipelines.plan.decoded import DecodedValues, PlainValues
from wire.pipelines.plan.node import PlanNode
from wire.pipelines.plan.planner import OutputPlan, build, routes_to
from wire.pipelines.plan.stage import CompiledStage


class ValuesResult(msgspec.Struct):
    """What became of a list of values: per sink what it would get, in order, as JSON would show it.

    `failures` pairs an index into the input with the reason.
    """

    outputs: list[list[Any]]
    filtered: int
    failures: list[tuple[int, WireError]]


class ValuesStage:
    """A compiled stage for values."""

    def __init__(self, stage: CompiledStage, read: Callable[[Any], Any], now_ms: Callable[[], int]) -> None:
        """`read` turns a value as the user wrote it into one as the source would have decoded it."""
        self._stage = stage
        self._read = read
        self._now_ms = now_ms

    async def run(self, values: Sequence[Any], keys: Sequence[str | None] = ()) -> ValuesResult:
        """Transform values: mappings, or None for a tombstone. The input is left as it is.

        `keys` are the records' keys; those without one have none. All are one batch, with the present as their event
        time. Raises RetryableError where a transform asks someone who does not answer.
        """
        records: list[Record] = []
        failures: list[tuple[int, WireError]] = []
        now_ms = self._now_ms()
        for index, (value, key) in enumerate(itertools.zip_longest(values, keys[: len(values)])):
            try:
                records.append(Record(self._read(value), None if key is None else key.encode(), now_ms, (), index))
            except RecordError as exc:
                failures.append((index, exc))
        batch = Batch(PartitionId("test"), Position(b""), records)
        result = await self._stage.run_waiting(batch) if self._stage.waits else self._stage.run(batch)
        failures += [(records[index].offset, error) for index, error in result.failures]
        outputs = [[_as_json(record.value) for record in batch.records] for batch in result.outputs]
        return ValuesResult(outputs, result.filtered, sorted(failures, key=lambda failure: failure[0]))

    async def close(self) -> None:
        """Let go of what the transforms hold."""
        await self._stage.close()


def compile_values_stage(
    source_format: Format, transforms: Sequence[PlanNode], outputs: Sequence[OutputPlan], clock: Clock
) -> ValuesStage:
    """Compile transforms as `compile_stage` does, for values, at the time of `clock`. The sinks' formats don't matter.

    Text in columns for which a CSV source declares a type is read as that type.
    """
    routes = routes_to(outputs, lambda _: (PlainValues(), True))
    stage = build(DecodedValues("raw"), "test", transforms, routes, "$.tests", clock)
    types = source_format.types if isinstance(source_format, CsvFormat) else {}
    readers = {column: cell_reader(kind, column) for column, kind in types.items()}
    return ValuesStage(stage, lambda value: _read(value, readers), clock.now_ms)


def _read(value: Any, readers: Mapping[str, Callable[[str], Any]]) -> Any:
    plain = _as_json(value)
    if plain is None:
        return None
    if not isinstance(plain, dict):
        raise RecordError("record.not_an_object", f"expected a mapping, found {type(value).__name__}")
    return {
        name: readers[name](item) if name in readers and isinstance(item, str) else item for name, item in plain.items()
    }


def _as_json(value: Any) -> Any:
    return msgspec.json.decode(encode(value))
