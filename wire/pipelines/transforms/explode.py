"""`explode: items`, or `{field: items, into: item, ordinal: n}`: make one record of every item of a list.

Each record has all fields of the one it was made of, with the item in place of the list, in the list's order. Its key,
headers and event time are those of the original; its coordinates are too, told apart by an ordinal that counts the
records made of one. A record whose list is empty, NULL or not there gives none, as with UNNEST, or stays with
`empty: keep`. A field that holds anything but a list fails its record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wire.core.config import Config, doc
from wire.core.errors import RecordError
from wire.core.plugins import Plugin
from wire.pipelines.expressions.values import type_name
from wire.pipelines.plan.builder import Arrived, Builder, Failures, Values
from wire.pipelines.transforms.context import TransformContext


class ExplodeConfig(Config, frozen=True, kw_only=True):
    """Which list, and where its items go."""

    field: Annotated[str, doc("The field that holds the list.")]
    into: Annotated[str | None, doc("A field for the item; if absent, it takes the list's place.")] = None
    ordinal: Annotated[str | None, doc("A field for the item's place in the list, counted from 1; none if absent.")] = (
        None
    )
    empty: Annotated[
        Literal["drop", "keep"], doc("A record without items: `drop` it, or `keep` it, with NULL in place of an item.")
    ] = "drop"
    max_items: Annotated[
        int, Meta(ge=1, description="A record with more items fails: each becomes a copy of the whole record.")
    ] = 10_000


@dataclass(frozen=True, slots=True)
class Explode:
    """Makes several records of one."""

    config: ExplodeConfig

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        builder.explode(self._explode)

    def _explode(self, arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
        entries: Arrived = []
        rows: Values = []
        made, of = 0, -1  # how many records there are of the input record `of`, which may have been exploded before
        for (index, record, ts_ms), value in zip(arrived, values, strict=True):
            if index != of:
                made, of = 0, index
            try:
                parts = [None] if value is None else self._parts(value)
            except RecordError as exc:
                failures.append((index, exc))
                continue
            for part in parts:
                entries.append(
                    (index, msgspec.structs.replace(record, ordinal=record.ordinal + made) if made else record, ts_ms)
                )
                rows.append(part)
                made += 1
        return entries, rows

    def _parts(self, row: dict[str, Any]) -> Sequence[dict[str, Any] | None]:
        items = row.get(self.config.field)
        if items is not None and items.__class__ is not list:
            message = f"`{self.config.field}` is not a list but {type_name(items)}"
            raise RecordError("transform.explode.not_a_list", message, hint=f"[{self.config.field}] makes a list of it")
        if not items:
            return [self._part(row, None, None)] if self.config.empty == "keep" else [None]
        if len(items) > self.config.max_items:
            message = f"`{self.config.field}` has {len(items)} items; at most {self.config.max_items} are taken"
            raise RecordError("transform.explode.too_many", message, hint="raise `max_items`")
        return [self._part(row, item, number) for number, item in enumerate(items, 1)]

    def _part(self, row: dict[str, Any], item: Any, number: int | None) -> dict[str, Any]:
        config = self.config
        if config.into is None:
            part = {**row, config.field: item}
        else:
            part = {**row, config.into: item}
            if config.into != config.field:
                part.pop(config.field, None)
        if config.ordinal is not None:
            part[config.ordinal] = number
        return part


def build(config: str | ExplodeConfig, context: TransformContext) -> Explode:
    """Make the transform."""
    config = ExplodeConfig(field=config) if isinstance(config, str) else config
    if config.ordinal is not None and config.ordinal in (config.into, None if config.into else config.field):
        raise context.mistake("the item and its ordinal have the same name", "give each its own", "ordinal")
    return Explode(config)


PLUGIN = Plugin(
    kind="transform",
    summary="Make one record of every item of a list.",
    config=str | ExplodeConfig,
    build=build,
    example="explode: {field: items, into: item, ordinal: number}",
)
