"""Moments of a run, to be shown."""

from __future__ import annotations

from wire.pipelines.engine.progress import Progress, SinkProgress, SourceProgress


def progress(at_s: float, read: int, **changes: object) -> Progress:
    made = Progress(state="running", elapsed_s=at_s, filtered=read // 2)
    made.sources = [SourceProgress("file", "file", read=read, bytes=read * 100, lag_bytes=1000)]
    made.sinks = [
        SinkProgress("late", "file", written=read // 2, bytes=read * 50, target=1000),
        SinkProgress("daily", "file", written=read // 4, bytes=read * 25, target=500),
    ]
    made.dead_letter = SinkProgress("dead_letter", "file")
    for name, value in changes.items():
        setattr(made, name, value)
    return made
