"""`lookup: {file: airlines.csv, key: carrier, select: "name AS airline"}`: add what a file knows about a record.

The file is CSV with a header line, a JSON list of objects, or JSON Lines; it is read into memory and again whenever it
changes. A row belongs to a record when its `column` has the value of the record's `key`: NULL matches nothing, and text
matches only text, so a number to look up needs a type in `types`. `select` says what a row adds, as in SQL over the
row's columns; it replaces fields of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from wire.core.config import Config, Expression, doc
from wire.core.errors import RecordError
from wire.core.formats import ColumnType
from wire.core.permissions import LOCAL_PATH
from wire.core.plugins import Plugin
from wire.pipelines.expressions import FunctionScope, Parsed, SelectItem, emit
from wire.pipelines.expressions.tree import Field
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.table import LookupTable, Row, Values


class LookupConfig(Config, frozen=True, kw_only=True):
    """Which file, which row of it, and what to take from there."""

    file: Annotated[str, doc("A .csv, .json or .jsonl file."), LOCAL_PATH]
    key: Annotated[Expression, doc("What to look for, computed from the record.")]
    column: Annotated[str | None, doc("The file's column to look in; the key's own name where it is just a field.")] = (
        None
    )
    select: Annotated[Expression, doc('What to add to the record: columns of the file, as in `"name AS airline"`.')]
    types: Annotated[dict[str, ColumnType], doc("Type by column, for CSV; a column not named here is text.")] = {}  # noqa: RUF012 (msgspec copies it)
    missing: Annotated[
        Literal["keep", "drop", "fail"],
        doc("A record without a match: `keep` it, with NULLs, `drop` it, or `fail` it."),
    ] = "keep"


@dataclass(frozen=True, slots=True)
class Lookup:
    """Adds fields from the row that a key finds. Values are computed when the file is read, not by record."""

    table: LookupTable
    key: Parsed
    names: Sequence[str]
    missing: Literal["keep", "drop", "fail"]

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        self.table.open()
        table, key = builder.per_batch(f"{builder.constant(self.table.current)}()"), builder.evaluate(self.key)
        if self.missing == "keep":
            found = f"{table}.get({key}, {builder.constant((None,) * len(self.names))})"
        else:
            found = builder.compute(f"{table}.get({key})")
            if self.missing == "drop":
                builder.drop_unless(f"{found} is not None")
            else:
                builder.statement(f"if {found} is None: raise {builder.constant(_no_match)}({key})")
        values = [builder.local() for _ in self.names]
        builder.statement(f"{', '.join(values)}, = {found}")
        for name, value in zip(self.names, values, strict=True):
            builder.assign(name, value)


def _no_match(key: Any) -> RecordError:
    shown = "NULL" if key is None else repr(key)[:60]
    hint = "`missing: keep` keeps such records, `missing: drop` drops them"
    return RecordError("transform.lookup.no_match", f"the file has no row for {shown}", hint=hint)


def build(config: LookupConfig, context: TransformContext) -> Lookup:
    """Make the transform. The file is not read yet."""
    key = context.parse(config.key, "key")
    items = context.parse_select(config.select, "select")
    if any(item.name is None for item in items):
        raise context.mistake("a lookup can't select `*`", "name the columns, such as `name AS airline`", "select")
    if any(item.expression.metas for item in items if item.expression):
        raise context.mistake("the file's rows have no metadata", "select columns of the file", "select")
    table = LookupTable(config.file, config.types, _column(config, key, context), _select(items), context.clock)
    return Lookup(table, key, [str(item.name) for item in items], config.missing)


def _column(config: LookupConfig, key: Parsed, context: TransformContext) -> str:
    if config.column is not None:
        return config.column
    if isinstance(key.node, Field):
        return key.node.name
    message = "`column` is needed where the key is computed"
    raise context.mistake(message, "name the file's column that holds the key", "column")


def _select(items: Sequence[SelectItem]) -> Callable[[Row], Values]:
    """Return a function from a row of the file to what it adds."""
    scope = FunctionScope("row")
    sources = [emit(item.expression, scope) for item in items if item.expression]
    # I10: the source comes from the expression emitter alone.
    select: Callable[[Row], Values] = eval(f"lambda row: ({', '.join(sources)},)", dict(scope.constants))  # noqa: S307 (I10: our own source)
    return select


PLUGIN: Final = Plugin(
    kind="transform",
    summary="Add fields from a CSV or JSON file, found by a key.",
    config=LookupConfig,
    build=build,
    example='lookup: {file: airlines.csv, key: carrier, select: "name AS airline"}',
)
