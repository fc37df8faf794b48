"""From a pipeline's transforms and sinks to its compiled stage."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from wire.core.clock import Clock, SystemClock
from wire.core.config import Expression
from wire.core.formats import Format
from wire.core.paths import child
from wire.core.records import Batch, Record
from wire.pipelines.codecs import Decoder, Encoder, decoder, encoder, passes_through
from wire.pipelines.located import located
from wire.pipelines.plan.builder import Builder
from wire.pipelines.plan.loop import indent
from wire.pipelines.plan.node import PlanNode
from wire.pipelines.plan.parsing import parse_at
from wire.pipelines.plan.places import failing_where
from wire.pipelines.plan.routes import Route, write_routes
from wire.pipelines.plan.stage import CompiledStage
from wire.pipelines.stage import StageResult

SYSTEM_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """What one sink wants: records for which `when` is true (all, if None), in `format`, with computed `columns`.

    `columns` maps a name to its expression, as `sink_expressions` finds them. `path` is where the sink was written.
    """

    name: str
    format: Format
    when: Expression | None = None
    columns: Mapping[str, Expression] = field(default_factory=dict)
    path: str = "$.sink"


def compile_stage(
    source_format: Format,
    source_name: str,
    transforms: Sequence[PlanNode],
    outputs: Sequence[OutputPlan],
    source_path: str = "$.source",
) -> CompiledStage:
    """Compile a pipeline's transforms, for the records of one source, into one function.

    The stage's outputs are in the order of `outputs`. A source in CSV must know its columns. Blocking: transforms read
    the files they name. Raises ConfigError for expressions and formats that don't fit, UnavailableError for files that
    can't be read.
    """
    encoders = _Encoders()
    routes = routes_to(outputs, lambda plan: (encoders.of(plan), passes_through(source_format, plan.format)))
    form = f"{source_path}.config.format"
    return build(decoder(source_format, form), source_name, transforms, routes, form)


def routes_to(outputs: Sequence[OutputPlan], encoding: Callable[[OutputPlan], tuple[Encoder, bool]]) -> list[Route]:
    """Parse what the sinks want. `encoding` gives a sink's encoder, and whether the source's bytes are good for it."""
    routes = []
    for plan in outputs:
        when = parse_at(plan.when, f"{plan.path}.when") if plan.when is not None else None
        columns = {name: parse_at(text, f"{plan.path}.config.{name}") for name, text in plan.columns.items()}
        routes.append(Route(plan.path, when, columns, *encoding(plan)))
    return routes


def build(
    source: Decoder,
    source_name: str,
    transforms: Sequence[PlanNode],
    routes: Sequence[Route],
    source_path: str,
    clock: Clock = SYSTEM_CLOCK,
) -> CompiledStage:
    """Compile transforms between a decoder, whose failures get `source_path`, and the routes to the sinks.

    `clock` tells expressions the time.
    """
    builder = Builder(source)
    for index, node in enumerate(transforms):
        path = child("$.transforms", index)
        builder.at(path)
        with located(path):
            node.emit(builder)
    after = write_routes(builder, routes, source_name)
    body = ["records = batch.records", "filtered = 0", "failures = []", *builder.before, *builder.render(), *after]
    define = "async def run(batch):" if builder.waits else "def run(batch):"
    text = "\n".join([define, *indent(body, 1), ""])
    given = {"failure": failing_where(text, source_path), "now_ms": clock.now_ms}
    function = _compiled(text, source_name, {**given, **builder.constants})
    return CompiledStage(text, function, builder.waits, builder.closes, builder.max_records)


class _Encoders:
    """One encoder per format, so that sinks of the same format share the bytes."""

    def __init__(self) -> None:
        self._known: list[tuple[Format, Encoder]] = []

    def of(self, plan: OutputPlan) -> Encoder:
        for form, known in self._known:
            if form == plan.format:
                return known
        self._known.append((plan.format, encoder(plan.format, f"{plan.path}.config.format")))
        return self._known[-1][1]


_GLOBALS: Final[dict[str, Any]] = {
    "Batch": Batch,
    "Record": Record,
    "StageResult": StageResult,
}
_numbers = itertools.count(1)


def _compiled(source: str, name: str, constants: Mapping[str, Any]) -> Callable[[Batch], Any]:
    filename = f"<stage {next(_numbers)} for {name}>"
    # I10: the source comes from our emitters alone; what users wrote enters as quoted names and bound constants.
    code = compile(source, filename, "exec")
    namespace: dict[str, Any] = {**_GLOBALS, **constants}
    exec(code, namespace)  # noqa: S102 (I10: our own source)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)  # for tracebacks
    function: Callable[[Batch], Any] = namespace["run"]
    return function
