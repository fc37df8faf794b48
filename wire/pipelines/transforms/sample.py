"""`sample: 0.1`, or `{rate: 0.1, key: user_id}`: keep a share of the records and drop the others.

With a `key`, all records that have the same value there are kept or dropped together, NULL among them, everywhere and
whenever the pipeline runs. Without one each record is decided by itself, by its coordinates (partition, offset,
ordinal): a record that is read again is decided as before. Tombstones pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta

from wire.core.config import Config, Expression, doc
from wire.core.plugins import Plugin
from wire.pipelines.expressions import Parsed
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.digest import digest

Rate = Annotated[float, Meta(ge=0, le=1, description="The share to keep: 0.1 is one record in ten.")]
_MASK: Final = (1 << 64) - 1


class SampleConfig(Config, frozen=True, kw_only=True):
    """How much to keep, and what stays together."""

    rate: Rate
    key: Annotated[
        Expression | None, doc("Records with the same value here are kept together; if absent, each is on its own.")
    ] = None
    seed: Annotated[int, Meta(ge=0, le=_MASK, description="Other seeds keep other records.")] = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Drops all but a share of the records."""

    rate: float
    key: Parsed | None
    seed: int

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        least = builder.constant(round((1 - self.rate) * (_MASK + 1)))
        if self.key is not None:
            number = f"{builder.constant(by_key(self.seed))}({builder.evaluate(self.key)})"
        else:
            start = builder.per_batch(f"{builder.constant(by_partition(self.seed))}({builder.meta('partition')})")
            number = f"{builder.constant(scattered)}({start} + r.offset, r.ordinal)"
        builder.drop_unless(f"{number} >= {least}")


def by_key(seed: int) -> Callable[[Any], int]:
    """Return a function from any value to a number of 64 bits, the same one everywhere and for ever."""
    salt = b"%d" % seed

    def number(value: Any) -> int:
        return int.from_bytes(digest(value, salt)[:8])

    return number


def by_partition(seed: int) -> Callable[[str], int]:
    """Return a function from a partition to the number its offsets are counted from."""

    def number(partition: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{seed} {partition}".encode(), digest_size=8).digest())

    return number


def scattered(offset: int, ordinal: int) -> int:
    """Return 64 bits that look random, of coordinates (SplitMix64; Steele, Lea, Flood: Fast splittable PRNGs)."""
    number = (offset * 0x9E3779B97F4A7C15 + ordinal * 0xD1B54A32D192ED03) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def build(config: Rate | SampleConfig, context: TransformContext) -> Sample:
    """Make the transform."""
    if not isinstance(config, SampleConfig):
        return Sample(config, None, 0)
    return Sample(config.rate, None if config.key is None else context.parse(config.key, "key"), config.seed)


PLUGIN = Plugin(
    kind="transform",
    summary="Keep a share of the records.",
    config=Rate | SampleConfig,
    build=build,
    example="sample: {rate: 0.1, key: user_id}",
)
