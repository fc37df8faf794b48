"""`rate_limit: 500`, or `{rate: 500, burst: 1000}`: let no more than so many records a second pass.

Records wait; none is dropped or changed. All partitions of a source share the rate, and tombstones count too. What was
not used is saved up, to `burst` records at most; larger batches than that are not read from the source. The records of
a batch go on together, to the sinks or to a transform that asks a service, once there is room for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from wire.core.clock import Clock
from wire.core.config import Config, doc
from wire.core.plugins import Plugin
from wire.core.turnstile import Turnstile
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext

Rate = Annotated[float, Meta(gt=0, description="Records per second.")]


class RateLimitConfig(Config, frozen=True, kw_only=True):
    """How many, and how many at once."""

    rate: Rate
    burst: Annotated[
        float | None, Meta(ge=0), doc("How many may pass at once after a pause; as many as in a second if absent.")
    ] = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Delays records."""

    rate: float
    burst: float
    clock: Clock

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        turnstile = Turnstile(self.rate, self.burst, self.clock)
        builder.hold_up(turnstile.wait, max_records=max(1, int(self.burst)))


def build(config: Rate | RateLimitConfig, context: TransformContext) -> RateLimit:
    """Make the transform."""
    if not isinstance(config, RateLimitConfig):
        return RateLimit(config, config, context.clock)
    return RateLimit(config.rate, config.rate if config.burst is None else config.burst, context.clock)


PLUGIN = Plugin(
    kind="transform",
    summary="Let no more than so many records a second pass.",
    config=Rate | RateLimitConfig,
    build=build,
    example="rate_limit: {rate: 500, burst: 1000}",
)
