"""`dedupe: {key: "order_id", within: 10m}`: drop records whose key was there already.

Two records are duplicates if their keys are equal and their event times not more than `within` apart; the first one
passes, and what is compared with is always one that passed. A record without a key (NULL) is no duplicate of anything.
Tombstones pass. A record that is read again, at the same coordinates, is not a duplicate of itself.

What was seen is kept in memory, for the newest `max_keys` keys of each source of the pipeline, about 400 bytes a key.
It is gone when the pipeline stops: a duplicate of a record from before the last start passes. So dedupe spares work and
clutter, but promises nothing, and does not go with `delivery: exactly_once`. A record that a later transform or the
sink refuses counts as seen.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta

from wire.core.config import Config, Expression, doc
from wire.core.plugins import Plugin
from wire.core.units import Duration
from wire.pipelines.expressions import Parsed
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.digest import digest

_SHORT: Final = 64


class DedupeConfig(Config, frozen=True, kw_only=True):
    """What makes two records the same, and how long that is remembered."""

    key: Annotated[Expression, doc("Computes what duplicates have in common.")]
    within: Annotated[Duration, doc("How far apart duplicates are at most, by event time.")] = Duration(600_000)
    max_keys: Annotated[int, Meta(ge=1, description="How many keys are remembered; the oldest are forgotten.")] = (
        100_000
    )


@dataclass(frozen=True, slots=True)
class Dedupe:
    """Drops records whose key was seen not long ago."""

    key: Parsed
    within_ms: float
    max_keys: int

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        first = builder.constant(Seen(self.within_ms, self.max_keys).first)
        key, time = builder.evaluate(self.key), builder.meta("timestamp_ms")
        partition = builder.meta("partition")
        builder.drop_unless(f"({key} is None or {first}({key}, ({partition}, r.offset, r.ordinal), {time}))")


class Seen:
    """The memory of one source's records: keys with the coordinates and time of the record that passed."""

    def __init__(self, within_ms: float, max_keys: int) -> None:
        """Remember `max_keys` keys at most (I8), and none that nothing can be a duplicate of any more."""
        self._within_ms = within_ms
        self._max_keys = max_keys
        self._seen: OrderedDict[Any, tuple[tuple[str, int, int], int]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._seen)

    def first(self, value: Any, coordinates: tuple[str, int, int], ts_ms: int) -> bool:
        """Say whether a record may pass: no other was seen with this key not long before or after it."""
        key = _key(value)
        known = self._seen.get(key)
        if known is not None and abs(ts_ms - known[1]) <= self._within_ms:
            return known[0] == coordinates  # read again, it is no duplicate of itself
        self._seen[key] = (coordinates, ts_ms)
        self._seen.move_to_end(key)
        if len(self._seen) > self._max_keys:
            self._seen.popitem(last=False)
        # By the present record's time: one that claims to be from the future must not make all later ones look old.
        while next(iter(self._seen.values()))[1] < ts_ms - self._within_ms:
            self._seen.popitem(last=False)
        return True


def _key(value: Any) -> Any:
    """Return what is remembered of a key: itself where it is small, else a digest."""
    kind = value.__class__
    if (kind is str and len(value) <= _SHORT) or (kind is int and -(1 << 63) <= value < 1 << 63):
        return value
    return digest(value)


def build(config: DedupeConfig, context: TransformContext) -> Dedupe:
    """Make the transform."""
    return Dedupe(context.parse(config.key, "key"), config.within.ms, config.max_keys)


PLUGIN = Plugin(
    kind="transform",
    summary="Drop records whose key was seen not long ago.",
    config=DedupeConfig,
    build=build,
    example="dedupe: {key: order_id, within: 10m}",
)
