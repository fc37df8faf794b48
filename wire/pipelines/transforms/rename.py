"""`rename: {dep_delay: delay}`: give fields new names, all at once, so that two can change places.

A field that was called by one of the new names before is gone. What is not there is not renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wire.core.plugins import Plugin
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext


@dataclass(frozen=True, slots=True)
class Rename:
    """Gives fields new names: old → new."""

    names: Mapping[str, str]

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        builder.rename(self.names)


def build(config: dict[str, str], context: TransformContext) -> Rename:
    """Make the transform."""
    given: dict[str, str] = {}
    for old, new in config.items():
        if new in given:
            hint = "give each its own name"
            raise context.mistake(f"`{given[new]}` and `{old}` would both be called `{new}`", hint, old)
        given[new] = old
    return Rename(config)


PLUGIN = Plugin(
    kind="transform",
    summary="Give fields new names.",
    config=dict[str, str],
    build=build,
    example="rename: {dep_delay: delay}",
)
