"""`filter: "dep_delay > 15"`: keep the records for which a condition is true; NULL is not true."""

from __future__ import annotations

from dataclasses import dataclass

from wire.core.config import Expression
from wire.core.plugins import Plugin
from wire.pipelines.expressions import Parsed
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext


@dataclass(frozen=True, slots=True)
class Filter:
    """Drops every other record."""

    condition: Parsed

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        builder.where(self.condition)


def build(config: Expression, context: TransformContext) -> Filter:
    """Make the transform."""
    return Filter(context.parse(config))


PLUGIN = Plugin(
    kind="transform",
    summary="Keep the records for which a condition is true.",
    config=Expression,
    build=build,
    example='filter: "dep_delay > 15"',
)
