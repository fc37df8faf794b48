"""`cast: {dep_delay: bigint, amount: {type: "decimal(10,2)", on_error: null}}`: change the types of fields.

The types and their rules are those of CAST in expressions. A value that does not fit its type fails the record, or
becomes NULL with `on_error: null`. What is not there stays away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from wire.core.config import Config, doc
from wire.core.errors import ConfigError, Finding
from wire.core.plugins import Plugin
from wire.pipelines.expressions import Parsed
from wire.pipelines.expressions.tree import Field, children
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.names import quoted


class CastConfig(Config, frozen=True, kw_only=True):
    """A type, with what happens to values that don't fit it."""

    type: Annotated[str, doc("The type, as in CAST: `bigint`, `timestamp`, `decimal(10,2)`…")]
    on_error: Annotated[Literal["fail"] | None, doc("`fail` the record, or put `null` in place of the value.")] = "fail"


@dataclass(frozen=True, slots=True)
class Cast:
    """Changes the types of fields; each comes with its CAST."""

    casts: Sequence[tuple[str, Parsed]]

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        for name, cast in self.casts:
            builder.replace(name, builder.evaluate(cast))


def build(config: dict[str, str | CastConfig], context: TransformContext) -> Cast:
    """Make the transform."""
    return Cast([(name, _cast(name, kind, context)) for name, kind in config.items()])


def _cast(name: str, kind: str | CastConfig, context: TransformContext) -> Parsed:
    target = kind if isinstance(kind, str) else kind.type
    function = "CAST" if isinstance(kind, str) or kind.on_error else "TRY_CAST"
    try:
        parsed = context.parse(f"{function}({quoted(name)} AS {target})", name)
    except ConfigError as exc:
        # The place within the text we put together means nothing to the user.
        (found,) = exc.findings
        finding = Finding(code=found.code, path=found.path, message=found.message, hint=found.hint)
        raise ConfigError([finding]) from exc
    if not all(isinstance(node, Field) for node in children(parsed.node)):
        hint = "write what stands behind AS in a CAST, such as bigint or decimal(10,2)"
        raise context.mistake(f"`{target}` is not a type", hint, name)
    return parsed


PLUGIN = Plugin(
    kind="transform",
    summary="Change the types of fields.",
    config=dict[str, str | CastConfig],
    build=build,
    example="cast: {dep_delay: bigint, time_hour: timestamp}",
)
