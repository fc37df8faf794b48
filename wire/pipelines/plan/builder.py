"""What transforms write with: the function a pipeline is compiled into, seen as one record on its way."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from wire.core.errors import WireError
from wire.core.records import Record
from wire.pipelines.codecs import Decoder, dict_source
from wire.pipelines.expressions import FunctionScope, Parsed, emit, emit_predicate
from wire.pipelines.expressions.kinds import kinds_of
from wire.pipelines.expressions.values import Kind
from wire.pipelines.located import located
from wire.pipelines.plan.decoded import DecodedValues
from wire.pipelines.plan.loop import SKIP, Loop
from wire.pipelines.plan.places import mark
from wire.pipelines.plan.shapes import Only

_JSON_KINDS: Final = Kind.NULL | Kind.BOOL | Kind.INT | Kind.FLOAT | Kind.TEXT | Kind.DATE | Kind.TIME | Kind.BLOB

Arrived = list[tuple[int, Record, int]]
"""The records that came as far as a function: index in the input batch, input record, event time."""

Values = list[dict[str, Any] | None]
Failures = list[tuple[int, WireError]]
Function = Callable[[Arrived, Values, Failures], tuple[Arrived, Values]]
AsyncFunction = Callable[[Arrived, Values, Failures], Awaitable[tuple[Arrived, Values]]]


class Builder(FunctionScope):
    """Writes the compiled function, for one record after the other.

    Everything that returns or takes source deals in Python expressions. What `field`, `meta`, `constant`, `evaluate`,
    `compute` and `per_batch` return is a name or a literal: it may be used any number of times. A statement added here
    runs for the records that came this far; if it raises, its record is a failure and the others go on.
    """

    def __init__(self, decoder: Decoder) -> None:
        """Start with records as they come from the source, in the format `decoder` reads."""
        super().__init__()
        self.before: list[str] = []
        self.timestamp_set = False
        self.exploded = False
        self.waits = False
        self.max_records: int | None = None
        self.closes: list[Callable[[], Awaitable[None]]] = []
        self._done: list[str] = []
        self._path = ""
        self._batch_values: dict[str, str] = {}
        header = "for i, r in enumerate(records):"
        self.loop = Loop(header, decoder, self, timestamp_ms="r.ts_ms", bytes_in=True)

    # reading the record

    def field(self, name: str) -> str:
        """Return a field's value, None where the record has none."""
        return self.loop.shape.field(name)

    def meta(self, name: str) -> str:
        """Return what is not in the record's value; the names are those of `Scope.meta`."""
        match name:
            case "timestamp_ms":
                return self.loop.timestamp_ms
            case "now_ms":
                return self.per_batch("now_ms()")
            case "partition":
                return self.per_batch("batch.partition")
            case _:
                return f"r.{name}"

    def evaluate(self, expression: Parsed) -> str:
        """Return an expression's value, evaluated here."""
        value = self.compute(emit(expression, self))
        if not kinds_of(expression.node) & ~_JSON_KINDS:
            self.loop.plain.add(value)
        return value

    # changing it

    def where(self, condition: Parsed) -> None:
        """Keep only records for which a condition is TRUE; of tombstones all, if the condition reads a field."""
        self.drop_unless(emit_predicate(condition, self))
        if not condition.fields:
            self.loop.tombstone.append(f"if not {emit_predicate(condition, WithoutFields(self))}: {SKIP}")

    def drop_unless(self, source: str) -> None:
        """Keep only records for which `source` is truthy."""
        self.statement(f"if not {source}: {SKIP}")

    def assign(self, name: str, value: str) -> None:
        """Set a field, new or not."""
        self.loop.shape.assign(name, self.compute(value))

    def replace(self, name: str, value: str) -> None:
        """Set a field where the record has it. `value` must give None where it has not."""
        self.loop.shape.replace(name, self.compute(value))

    def remove(self, name: str) -> None:
        """Take a field away."""
        self.loop.shape.remove(name)

    def rename(self, names: Mapping[str, str]) -> None:
        """Give fields new names (old → new), all at once; what had a new name before is gone."""
        self.loop.shape.rename(names)

    def keep(self, fields: Mapping[str, str]) -> None:
        """Make the record consist of exactly these fields, in this order."""
        self.loop.shape = Only({name: self.compute(value) for name, value in fields.items()})

    def whole(self) -> str:
        """Return source of a dict of the whole record as it is here, to be used at once and not to be changed."""
        return self.loop.whole()

    def rewrite(self, source: str) -> None:
        """Make the record the dict that `source` gives, a new one each time.

        It may hold values of types JSON lacks only where the record has such.
        """
        self.loop.become(source)

    def holds_json(self) -> bool:
        """Say whether all of the record's values are certainly of types JSON has."""
        return self.loop.typed() == []

    def promise_json(self, local: str) -> None:
        """Promise that a local holds, and will hold, a value of types JSON has."""
        self.loop.plain.add(local)

    def set_timestamp(self, source: str) -> None:
        """Set the event time, in UTC milliseconds since 1970."""
        self.loop.timestamp_ms = self.compute(source)
        self.timestamp_set = True

    def apply(self, function: Function) -> None:
        """Hand all records that come this far to a function at once, with their values, None for a tombstone.

        It returns both, without the records it added to the failures; the value of a record to drop is None.
        """
        self._hand_over(functools.partial(_apply, function, self._path))

    def wait_for(self, function: AsyncFunction) -> None:
        """Hand over all records as `apply` does, to a function that waits for something outside this process.

        The pipeline reads on from its other partitions meanwhile. Where it raises RetryableError, the whole stage is
        run again for this batch.
        """
        self.waits = True
        self._hand_over(functools.partial(_wait_for, function, self._path), "await ")

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have `close` called once when the stage is closed, after its last batch.

        For what a transform opens while it runs, such as connections: `emit` itself opens nothing that would need it.
        """
        self.closes.append(close)

    def explode(self, function: Function) -> None:
        """Hand over all records as `apply` does, to a function that returns any number of records for each.

        Those of one input record follow one another and differ in `ordinal`. If several of them fail further on, that
        counts as one failure of the input record. They may hold values of types JSON lacks only where that one does.
        """
        self.exploded = True
        typed: frozenset[str] | None = frozenset() if self.holds_json() else None
        self._hand_over(functools.partial(_apply, function, self._path), typed=typed)

    def hold_up(self, function: Callable[[int], Awaitable[None]], max_records: int) -> None:
        """Await a function, given how many records came this far, before any of them is seen outside.

        That is before they reach a sink, and before what a later `wait_for` asks outside. They stay as they are.
        Batches of more than `max_records` are not asked for, but may come.
        """
        self.waits = True
        self.max_records = min(max_records, self.max_records or max_records)
        count = self.local()
        self.before.append(f"{count} = 0")
        self.statement(f"{count} += 1")
        self.loop.tombstone.append(f"{count} += 1")
        self.loop.behind.append(f"await {self.constant(function)}({count})")

    def _hand_over(self, function: Callable[..., Any], how: str = "", typed: frozenset[str] | None = None) -> None:
        records, values = self.local(), self.local()
        fields = self.loop.materialize()
        value = "row" if fields is None else dict_source(fields)
        self.statement(f"{records}.append((i, r, {self.loop.timestamp_ms}))", f"{values}.append({value})")
        self.loop.tombstone.append(f"{records}.append((i, r, r.ts_ms)); {values}.append(None)")
        self._done += [f"{records} = []; {values} = []", *self.loop.render()]
        self._done.append(f"{records}, {values} = {how}{self.constant(function)}({records}, {values}, failures)")
        header = f"for (i, r, ts_ms), value in zip({records}, {values}, strict=True):"
        self.loop = Loop(header, DecodedValues(typed=typed), self, timestamp_ms="ts_ms", bytes_in=False)
        self.drop_unless("value is not None")

    # writing source

    def compute(self, source: str) -> str:
        """Evaluate source here and return the local that holds the result; a name or literal is returned as it is."""
        if source.isidentifier():
            return source
        local = self.local()
        self.statement(f"{local} = {source}")
        return local

    def at(self, path: str) -> None:
        """Begin the statements of the transform or sink at `path`, which their failures name."""
        self._path = path
        self.statement(mark(path))

    def statement(self, *lines: str) -> None:
        """Add statements."""
        self.loop.statement(*lines)

    def per_batch(self, source: str) -> str:
        """Return a local that holds the value of source that is evaluated once per batch, before its records."""
        if source not in self._batch_values:
            self._batch_values[source] = self.local()
            self.before.append(f"{self._batch_values[source]} = {source}")
        return self._batch_values[source]

    def may_be_typed(self, source: str) -> bool:
        """Say whether the value of source may be, or hold, one of a type that JSON does not have."""
        return source not in self.loop.plain

    def render(self) -> list[str]:
        """Return the source of all loops, in order."""
        return [*self._done, *self.loop.render()]


def _apply(
    function: Function, path: str, records: Arrived, values: Values, failures: Failures
) -> tuple[Arrived, Values]:
    known = len(failures)
    with located(path):
        result = function(records, values, failures)
    for _, error in failures[known:]:
        error.path = error.path or path
    return result


async def _wait_for(
    function: AsyncFunction, path: str, records: Arrived, values: Values, failures: Failures
) -> tuple[Arrived, Values]:
    known = len(failures)
    with located(path):
        result = await function(records, values, failures)
    for _, error in failures[known:]:
        error.path = error.path or path
    return result


class WithoutFields:
    """The scope of a tombstone: a builder's, for a record whose fields are all NULL."""

    def __init__(self, builder: Builder) -> None:
        """Write into `builder`'s function."""
        self.constant = builder.constant
        self.local = builder.local
        self._meta = builder.meta

    def field(self, name: str) -> str:  # noqa: D102 (contract in Scope)
        return "None"

    def meta(self, name: str) -> str:  # noqa: D102 (contract in Scope)
        return "r.ts_ms" if name == "timestamp_ms" else self._meta(name)
