"""What a running pipeline shows: a live view on a terminal, a line every few seconds elsewhere, a summary at the end.

All of it goes to standard error: standard output may be carrying records.
"""

from __future__ import annotations

import collections
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from wire.cli.numbers import behind, count, duration, rate, size
from wire.cli.terminal import Style
from wire.core.config import ByRecord
from wire.pipelines.engine.progress import Progress, Reason, SinkProgress
from wire.pipelines.loaded import Component, LoadedPipeline

_WINDOW: Final = 21
_REASONS: Final = 3
_LONGEST: Final = 200
"""Samples a rate is taken over; there are four a second."""
_LINE_EVERY_S: Final = 5.0


class _Sample(NamedTuple):
    at_s: float
    read: int
    read_bytes: int
    written: int
    written_bytes: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Averages over the last seconds, per second."""

    read: float = 0.0
    read_bytes: float = 0.0
    written: float = 0.0
    written_bytes: float = 0.0


class Speedometer:
    """Turns counters into rates."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._samples: collections.deque[_Sample] = collections.deque([_Sample(0.0, 0, 0, 0, 0)], maxlen=_WINDOW)

    def measure(self, progress: Progress) -> Speed:
        """Take a sample and return the rates since the oldest one kept."""
        read_bytes = sum(source.bytes for source in progress.sources)
        written_bytes = sum(sink.bytes for sink in progress.sinks)
        now = _Sample(progress.elapsed_s, progress.read, read_bytes, progress.written, written_bytes)
        first = self._samples[0]
        self._samples.append(now)
        seconds = now.at_s - first.at_s
        if seconds <= 0:
            return Speed()
        return Speed(
            (now.read - first.read) / seconds,
            (now.read_bytes - first.read_bytes) / seconds,
            (now.written - first.written) / seconds,
            (now.written_bytes - first.written_bytes) / seconds,
        )


def fraction_done(progress: Progress) -> float | None:
    """Return how much of the input has been read, from 0 to 1; None where a source can't know how much there is."""
    done = left = 0
    for source in progress.sources:
        if source.lag_bytes is not None:
            done, left = done + source.bytes, left + source.lag_bytes
        elif source.lag_records is not None:
            done, left = done + source.read, left + source.lag_records
        else:
            return None
    return done / (done + left) if done + left else None


def lag(progress: Progress) -> str:
    """Return how far the sources' ends are away; nothing where they can't know."""
    records = [source.lag_records for source in progress.sources if source.lag_records is not None]
    bytes_ = [source.lag_bytes for source in progress.sources if source.lag_bytes is not None]
    text = behind(sum(records) if records else None, sum(bytes_) if bytes_ else None)
    return text and f"lag {text}"


def lost(progress: Progress) -> int:
    """Return how many records did not go where they should: dead letters, skipped ones and those that were shed."""
    return progress.dead_lettered + progress.skipped + sum(sink.shed for sink in progress.sinks)


def down(progress: Progress) -> str:
    """Return which sinks are taken to be down; nothing where none is."""
    names = [sink.name for sink in progress.sinks if sink.breaker != "closed"]
    return f"down: {', '.join(names)}" if names else ""


class View(Protocol):
    """Shows progress while a pipeline runs."""

    def update(self, progress: Progress) -> None:
        """Take note of the newest state; called a few times a second."""
        ...


class QuietView:
    """Shows nothing: records are going to the terminal themselves."""

    def update(self, progress: Progress) -> None:  # noqa: D102 (contract in View)
        pass


class LineView:
    """Writes one plain line every few seconds, for logs."""

    def __init__(self) -> None:
        """Wait a full interval before the first line."""
        self._speed = Speedometer()
        self._next_s = _LINE_EVERY_S

    def update(self, progress: Progress) -> None:  # noqa: D102 (contract in View)
        speed = self._speed.measure(progress)
        if progress.elapsed_s >= self._next_s and progress.state not in ("done", "stopped", "failed"):
            self._next_s = progress.elapsed_s + _LINE_EVERY_S
            print(line(progress, speed), file=sys.stderr, flush=True)


def line(progress: Progress, speed: Speed) -> str:
    """Return one line that says how things are."""
    parts = [
        f"{duration(progress.elapsed_s)} {progress.state}",
        f"read {count(progress.read)} ({rate(speed.read)}, {size(speed.read_bytes)}/s)",
        f"written {count(progress.written)} ({rate(speed.written)})",
        f"filtered {count(progress.filtered)}",
        f"errors {count(lost(progress))}",
        lag(progress),
        f"batch {batch(progress)}",
    ]
    if progress.state == "retrying" and progress.last_error:
        parts += [down(progress), progress.last_error]
    return "  ".join(filter(None, parts))


def batch(progress: Progress) -> str:
    """Return how many records each sink is now given at once."""
    return "/".join(count(sink.target) for sink in progress.sinks) or "-"


@contextlib.contextmanager
def view(pipeline: LoadedPipeline) -> Iterator[View]:
    """Show progress in the way that suits where standard error goes."""
    if sys.stdout.isatty() and any(sink.type == "stdout" for sink in pipeline.sinks):
        yield QuietView()
    elif not Style(sys.stderr).terminal:
        yield LineView()
    else:
        from rich.console import Console
        from rich.live import Live

        from wire.cli.live import LiveView

        with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
            yield LiveView(pipeline.spec.name, live)


def summary(pipeline: LoadedPipeline, progress: Progress) -> str:
    """Return what a run did: what was read, filtered, written and dead-lettered, where, and how fast."""
    style = Style(sys.stderr)
    how = {"done": style.green("done"), "failed": style.red("failed")}.get(progress.state, progress.state)
    rows = [
        ("read", source.read, size(source.bytes), f"from {_place(component)}")
        for component, source in zip(pipeline.sources, progress.sources, strict=False)
    ]
    rows.append(("filtered", progress.filtered, "", ""))
    rows += [
        ("shed", sink.shed, "", f"instead of written to {_place(component)}")
        for component, sink in zip(pipeline.sinks, progress.sinks, strict=False)
        if sink.shed
    ]
    rows += [
        ("written", sink.written, size(sink.bytes), f"to {_place(component)}{_counts(sink)}")
        for component, sink in zip(pipeline.sinks, progress.sinks, strict=False)
    ]
    if pipeline.dead_letter:
        rows.append(("dead-lettered", progress.dead_lettered, "", f"to {_place(pipeline.dead_letter)}"))
    if pipeline.spec.on_error.policy == "skip" or progress.skipped:
        rows.append(("skipped", progress.skipped, "", "could not be processed"))
    numbers = max(len(count(row[1])) for row in rows)
    seconds = max(progress.elapsed_s, 1e-3)
    speed = f"{rate(progress.read / seconds)}, {size(sum(s.bytes for s in progress.sources) / seconds)}/s"
    lines = [f"{style.bold(pipeline.spec.name)}: {how} in {duration(progress.elapsed_s)} ({speed})"]
    for label, number, amount, where in rows:
        text = f"  {label:<13}  {count(number):>{numbers}}  {amount:>10}  {where}".rstrip()
        lines.append(style.yellow(text) if number and label in ("dead-lettered", "skipped", "shed") else text)
    lines += [line for code, reason in _commonest(progress) for line in _told(code, reason)]
    return "\n".join(lines)


def _commonest(progress: Progress) -> list[tuple[str, Reason]]:
    return sorted(progress.reasons.items(), key=lambda item: -item[1].records)[:_REASONS]


def _told(code: str, reason: Reason) -> Iterator[str]:
    """Say why records were put aside: how many for this code, the first error of them, and what to do."""
    where = f" at {reason.path}" if reason.path else ""
    message = reason.message if len(reason.message) <= _LONGEST else f"{reason.message[: _LONGEST - 1]}…"
    yield f"    {count(reason.records)} by {code}{where}: {message}"
    if reason.hint:
        yield f"      = hint: {reason.hint}"


def _counts(sink: SinkProgress) -> str:
    """Return what the sink counted by itself, if anything: `, 3 superseded`."""
    return "".join(f", {count(number)} {name}" for name, number in sink.counts.items() if number)


def _place(component: Component) -> str:
    """Return what a user would call the place a component reads or writes: a path, a topic."""
    for field in ("path", "topic", "topics", "index"):
        value = getattr(component.config, field, None)
        if isinstance(value, ByRecord):
            return f"{component.name} ({field} by record)"
        if value:
            return f"{component.type} {', '.join(value) if isinstance(value, list) else value}"
    return component.name
