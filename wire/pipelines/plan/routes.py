"""The end of the compiled function: which sinks a record goes to, in what bytes, with what columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wire.pipelines.codecs import Encoder
from wire.pipelines.expressions import Parsed, Scope, emit, emit_predicate
from wire.pipelines.plan.builder import Builder, Failures, WithoutFields
from wire.pipelines.plan.loop import SKIP, indent

Statements = Sequence[str]


@dataclass(frozen=True, slots=True)
class Route:
    """One sink's part of the function: records for which `when` is true (all, if None), with computed `columns`.

    Routes to sinks of the same format share an encoder. `passes` says that the source's bytes are good as they are;
    `path` is where the sink was written.
    """

    path: str
    when: Parsed | None
    columns: Mapping[str, Parsed]
    encoder: Encoder
    passes: bool


class _Exit:
    """A route with its variables: lists of what the sink gets, and whether it gets the present record."""

    def __init__(self, route: Route, builder: Builder) -> None:
        self.route = route
        self.chosen = builder.local() if route.when else None
        self.record = ""  # source of the present record as the sink gets it
        self.records = builder.local()
        self.lists = {name: builder.local() for name in route.columns}
        self.values = {name: builder.local() for name in route.columns}
        builder.before += [f"{name} = []" for name in (self.records, *self.lists.values())]

    def choice(self, scope: Scope, *, without_fields: bool = False) -> Statements:
        if self.route.when is None:
            return []
        undecided = without_fields and self.route.when.fields
        return [f"{self.chosen} = {'True' if undecided else emit_predicate(self.route.when, scope)}"]

    def columns(self, scope: Scope) -> Statements:
        computed = [f"{self.values[name]} = {emit(column, scope)}" for name, column in self.route.columns.items()]
        return block(self.chosen, computed)

    def handing_out(self, record: str) -> Statements:
        appended = [f"{self.lists[name]}.append({value})" for name, value in self.values.items()]
        return block(self.chosen, [f"{self.records}.append({record})", *appended])


def write_routes(builder: Builder, routes: Sequence[Route], source_name: str) -> Statements:
    """Write the routing into `builder` and return the statements that end the function.

    A record that no sink wants is counted as filtered. Nothing is handed out before everything was computed: a record
    goes to all its sinks or, if one of them can't have it, to none.
    """
    exits = [_Exit(route, builder) for route in routes]
    _write_tombstone(builder, exits)
    for exit_ in exits:
        builder.at(exit_.route.path)
        builder.statement(*exit_.choice(builder))
    builder.statement(*_skip_unless_chosen(exits))
    for exit_ in exits:
        builder.at(exit_.route.path)
        builder.statement(*exit_.columns(builder))
    _write_records(builder, exits)
    for exit_ in exits:
        builder.statement(*exit_.handing_out(exit_.record))
    return _result(builder, exits, source_name)


def _write_tombstone(builder: Builder, exits: Sequence[_Exit]) -> None:
    """A tombstone goes to every sink whose condition it meets or, having no fields, can't be held against."""
    scope, lines = WithoutFields(builder), builder.loop.tombstone
    for exit_ in exits:
        lines += exit_.choice(scope, without_fields=True)
    lines += _skip_unless_chosen(exits)
    for exit_ in exits:
        lines += exit_.columns(scope)
    for exit_ in exits:
        lines += exit_.handing_out("r")


def _skip_unless_chosen(exits: Sequence[_Exit]) -> Statements:
    chosen = [exit_.chosen for exit_ in exits if exit_.chosen]
    return [f"if not ({' or '.join(chosen)}): {SKIP}"] if len(chosen) == len(exits) else []


def _write_records(builder: Builder, exits: Sequence[_Exit]) -> None:
    loop = builder.loop
    same_bytes = [exit_ for exit_ in exits if exit_.route.passes and loop.unchanged]
    same_record = loop.timestamp_ms == "r.ts_ms"
    if same_bytes and not same_record:
        _write_record(builder, same_bytes, [], "raw")
    elif same_bytes:
        for exit_ in same_bytes:
            exit_.record = "r"
    rest = [exit_ for exit_ in exits if exit_ not in same_bytes]
    fields = loop.materialize() if rest else None
    while rest:
        encoder = rest[0].route.encoder
        group = [exit_ for exit_ in rest if exit_.route.encoder is encoder]
        rest = [exit_ for exit_ in rest if exit_ not in group]
        value = builder.local()
        encode = (
            encoder.whole(loop.typed(), builder, value) if fields is None else encoder.fields(fields, builder, value)
        )
        _write_record(builder, group, encode, value)


def _write_record(builder: Builder, group: Sequence[_Exit], encode: Statements, value: str) -> None:
    """Make the record that these sinks share, if any of them gets it."""
    record = builder.local()
    make = f"{record} = Record({value}, r.key, {builder.loop.timestamp_ms}, r.headers, r.offset, r.ordinal)"
    chosen = [exit_.chosen for exit_ in group if exit_.chosen]
    builder.at(group[0].route.path)
    builder.statement(*block(" or ".join(chosen) if len(chosen) == len(group) else None, [*encode, make]))
    for exit_ in group:
        exit_.record = record


def _result(builder: Builder, exits: Sequence[_Exit], source_name: str) -> Statements:
    watermark = "None" if builder.timestamp_set else "batch.watermark_ms"
    batches = []
    for exit_ in exits:
        columns = ", ".join(f"{name!a}: {values}" for name, values in exit_.lists.items())
        computed = f"{{{columns}}}" if columns else "None"
        batches.append(
            f"Batch(batch.partition, batch.position, {exit_.records}, {watermark}, {computed}, {source_name!a})"
        )
    failures = f"{builder.constant(_one_each)}(failures)" if builder.exploded else "failures"
    return [f"return StageResult([{', '.join(batches)}], filtered, {failures})"]


def _one_each(failures: Failures) -> Failures:
    """Keep the first failure of every input record, of which several parts may have failed."""
    return list({index: (index, error) for index, error in reversed(failures)}.values())[::-1]


def block(condition: str | None, lines: Statements) -> Statements:
    """Return statements under a condition, or as they are where there is none."""
    return [f"if {condition}:", *indent(lines, 1)] if condition and lines else lines
