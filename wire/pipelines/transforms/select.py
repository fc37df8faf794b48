"""`select: "*, dep_delay * 60 AS delay_s"`: say what each record consists of.

Without `*` the record has exactly the named fields, in this order, NULL where there was nothing. With `*` it keeps what
it has (less EXCLUDE) and gets the named ones. All expressions see the record as it was before the select.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wire.core.config import Expression
from wire.core.plugins import Plugin
from wire.pipelines.expressions import SelectItem
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext


@dataclass(frozen=True, slots=True)
class Select:
    """Makes the record anew from a select list."""

    items: Sequence[SelectItem]

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        star = next((item for item in self.items if item.name is None), None)
        named = [(item.name, item.expression) for item in self.items if item.name and item.expression]
        computed = {
            name: builder.evaluate(expression) for name, expression in [*(star.replace if star else ()), *named]
        }
        if star is None:
            builder.keep(computed)
            return
        for name in sorted(star.exclude):
            builder.remove(name)
        for name, value in computed.items():
            builder.assign(name, value)


def build(config: Expression, context: TransformContext) -> Select:
    """Make the transform."""
    return Select(context.parse_select(config))


PLUGIN = Plugin(
    kind="transform",
    summary="Say what each record consists of, as in SQL.",
    config=Expression,
    build=build,
    example='select: "*, dep_delay * 60 AS delay_s"',
)
