"""What a running pipeline says of itself: counters that only rise, and a few gauges, counted per batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from wire.core.timings import Timings

State = Literal["starting", "running", "retrying", "draining", "done", "stopped", "failed"]

BreakerState = Literal["closed", "open", "half_open"]
"""Of a sink that takes records, one that is taken to be down, and one that is being asked whether it is back."""


class SourceProgress(Struct):
    """One source. What it lags behind, the oldest of its partitions by `lag_s`, is None where it can't know.

    `held_up_s` is how long rate limits have held up what was read.
    """

    name: str
    type: str
    read: int = 0
    bytes: int = 0
    partitions: int = 0
    ended: int = 0
    lag_records: int | None = None
    lag_bytes: int | None = None
    lag_s: float | None = None
    held_up_s: float = 0.0


class SinkProgress(Struct):
    """One sink. `written` counts records that are durable there and stay; `target` is the batch size aimed at.

    `counts` holds what the sink itself counts of its records, by name. `writes` is how long writes took, `deliveries`
    how long it took from a batch's being read until it was durable here and stays: one for each write, of the batch in
    it that was read first, or for each transaction. `shed` are records that were dropped as its buffer says.
    `breaker_opened` counts how often it was found to be down, `held_up_s` how long its rate limit has held up writes.
    """

    name: str
    type: str
    written: int = 0
    bytes: int = 0
    retried: int = 0
    queued: int = 0
    in_flight: int = 0
    target: int = 0
    latency_ms: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    writes: Timings = field(default_factory=Timings)
    deliveries: Timings = field(default_factory=Timings)
    shed: int = 0
    breaker: BreakerState = "closed"
    breaker_opened: int = 0
    held_up_s: float = 0.0


class Reason(Struct):
    """Why records did not go where they should: how many for one error code, and the first such error."""

    records: int
    message: str
    path: str | None = None
    hint: str | None = None


class Progress(Struct):
    """A pipeline at one moment.

    Every record read is filtered, dead-lettered, skipped, shed, or written to at least one sink, or still `pending`.
    `checkpoint_age_s` is the time since progress was last made durable, None before the first.
    """

    state: State = "starting"
    elapsed_s: float = 0.0
    filtered: int = 0
    dead_lettered: int = 0
    skipped: int = 0
    pending: int = 0
    checkpoints: int = 0
    checkpoint_age_s: float | None = None
    last_error: str | None = None
    sources: list[SourceProgress] = field(default_factory=list)
    sinks: list[SinkProgress] = field(default_factory=list)
    dead_letter: SinkProgress | None = None
    reasons: dict[str, Reason] = field(default_factory=dict)

    def source(self, name: str, type_: str) -> SourceProgress:
        """Return that of a source, new unless it is there: who begins anew goes on counting, and counts again."""
        found = next((source for source in self.sources if source.name == name), None)
        if found is None:
            self.sources.append(found := SourceProgress(name, type_))
        return found

    def sink(self, name: str, type_: str) -> SinkProgress:
        """Return that of a sink, likewise."""
        found = next((sink for sink in self.sinks if sink.name == name), None)
        if found is None:
            self.sinks.append(found := SinkProgress(name, type_))
        return found

    @property
    def read(self) -> int:
        """Records read from all sources in this run."""
        return sum(source.read for source in self.sources)

    @property
    def written(self) -> int:
        """Records durable in all sinks in this run; a record routed to two sinks counts twice."""
        return sum(sink.written for sink in self.sinks)
