"""`timestamp: time_hour`, or `{expr: created, unit: s}`: set the event time of records.

The expression gives a TIMESTAMP or DATE (UTC), text in ISO 8601 (converted by its offset, UTC without one), or a number
that counts `unit` since 1970. A record for which it gives NULL or anything else fails.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from wire.core.config import Config, Expression, doc
from wire.core.errors import RecordError
from wire.core.plugins import Plugin
from wire.pipelines.expressions import Parsed
from wire.pipelines.expressions.moments import instant
from wire.pipelines.expressions.values import EPOCH
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext

Unit = Literal["s", "ms", "us", "ns"]
_PER_SECOND: Final[dict[Unit, int]] = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_LATEST_MS: Final = 253_402_300_800_000  # the year 10000
_EARLIEST_MS: Final = -62_135_596_800_000  # the year 1


class TimestampConfig(Config, frozen=True, kw_only=True):
    """Where the event time comes from."""

    expr: Annotated[Expression, doc("Computes the event time.")]
    unit: Annotated[Unit, doc("What a number counts.")] = "ms"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Sets the event time to what an expression gives."""

    moment: Parsed
    unit: Unit

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        builder.set_timestamp(f"{builder.constant(milliseconds(self.unit))}({builder.evaluate(self.moment)})")


def milliseconds(unit: Unit) -> Callable[[Any], int]:
    """Return a function from a moment to UTC milliseconds since 1970. It raises RecordError for what is no moment."""
    per_second = _PER_SECOND[unit]

    def convert(value: Any) -> int:
        match value:
            case str():
                return (instant(value) - EPOCH) // _MILLISECOND
            case dt.datetime():
                return (_naive_utc(value) - EPOCH) // _MILLISECOND
            case dt.date():
                return (dt.datetime.combine(value, dt.time()) - EPOCH) // _MILLISECOND
            case int() if value.__class__ is not bool:
                return _checked(value * 1000 // per_second)
            case float() if value - value == 0:
                return _checked(int(value * 1000 / per_second))
        shown = "NULL" if value is None else type(value).__name__
        message = f"the event time is {shown}, not a timestamp, ISO 8601 text or number"
        raise RecordError("transform.timestamp.invalid", message, hint="give a default with coalesce(…, …)")

    return convert


def _naive_utc(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value


def _checked(ms: int) -> int:
    if _EARLIEST_MS <= ms < _LATEST_MS:
        return ms
    message = "the event time is not between the years 1 and 9999"
    raise RecordError("transform.timestamp.invalid", message, hint="check `unit`: s, ms, us or ns")


def build(config: Expression | TimestampConfig, context: TransformContext) -> Timestamp:
    """Make the transform."""
    if isinstance(config, TimestampConfig):
        return Timestamp(context.parse(config.expr, "expr"), config.unit)
    return Timestamp(context.parse(config), "ms")


PLUGIN = Plugin(
    kind="transform",
    summary="Set the event time of records.",
    config=Expression | TimestampConfig,
    build=build,
    example="timestamp: time_hour",
)
