"""How far a source's readers are behind, all together."""

from __future__ import annotations

from collections.abc import Sequence

from wire.core.ports import Reader
from wire.pipelines.engine.progress import SourceProgress


def update_lag(progress: SourceProgress, readers: Sequence[Reader], now_ms: int) -> None:
    """Put into a source's progress what its readers know of it at a time."""
    lags = [reader.lag() for reader in readers]
    records = [lag.records for lag in lags if lag.records is not None]
    sizes = [lag.bytes for lag in lags if lag.bytes is not None]
    progress.lag_records = sum(records) if records else None
    progress.lag_bytes = sum(sizes) if sizes else None
    late_ms = [now_ms - lag.event_ms for lag in lags if lag.records != 0 and lag.event_ms is not None]
    at_end = any(lag.records == 0 for lag in lags)
    progress.lag_s = max(0, *late_ms) / 1000 if late_ms else 0.0 if at_end else None
