"""`drop: [minute, address.street]`: take fields away, nested ones too. What is not there is no mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wire.core.plugins import Plugin
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.names import field_path


@dataclass(frozen=True, slots=True)
class Drop:
    """Takes fields away; each is the path to a field."""

    paths: Sequence[tuple[str, ...]]

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        for name, *inner in self.paths:
            if inner:
                # A copy: other fields, made of the same value earlier, keep theirs.
                without = f"{builder.constant(_without)}({builder.field(name)}, {builder.constant(tuple(inner))})"
                builder.replace(name, without)
            else:
                builder.remove(name)


def _without(value: Any, path: tuple[str, ...]) -> Any:
    """Return a value without what is at `path` in it; the value itself where there is nothing."""
    name, *inner = path
    if value.__class__ is not dict or name not in value:
        return value
    if inner:
        return {**value, name: _without(value[name], tuple(inner))}
    return {key: item for key, item in value.items() if key != name}


def build(config: list[str], context: TransformContext) -> Drop:
    """Make the transform."""
    paths = []
    for index, text in enumerate(config):
        try:
            paths.append(field_path(text))
        except ValueError:
            hint = 'write `a.b` for the field `b` inside `a`, and quotes around a name that holds a dot: `"a.b"`'
            raise context.mistake(f"`{text}` is not the name of a field", hint, index) from None
    return Drop(paths)


PLUGIN = Plugin(
    kind="transform",
    summary="Take fields away.",
    config=list[str],
    build=build,
    example="drop: [minute, address.street]",
)
