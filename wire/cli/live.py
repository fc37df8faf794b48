"""The live view: a few lines on a terminal, drawn anew in place a few times a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wire.cli.numbers import count, duration, rate, size
from wire.cli.progress import Speed, Speedometer, batch, down, fraction_done, lag, lost
from wire.cli.terminal import GAP, width_of
from wire.pipelines.engine.progress import Progress

_BAR_WIDTH: Final = 50
_DISPENSABLE: Final = (3, 4, 2)
"""The columns that go where there is no room, the first one first: bytes, bytes per second, records per second."""
_COLOURS: Final = {
    "starting": "dim",
    "running": "green",
    "retrying": "yellow",
    "draining": "cyan",
    "done": "green",
    "stopped": "cyan",
    "failed": "bold red",
}


class LiveView:
    """Redraws a few lines in place, on a terminal."""

    def __init__(self, name: str, live: Any) -> None:
        """Draw through a `rich.live.Live`."""
        self._name = name
        self._live = live
        self._speed = Speedometer()

    def update(self, progress: Progress) -> None:  # noqa: D102 (contract in View)
        self._live.update(render(self._name, progress, self._speed.measure(progress)), refresh=True)


def render(name: str, progress: Progress, speed: Speed) -> RenderableType:
    """Return the live view of one moment."""
    parts: list[RenderableType] = [
        Text.assemble(
            (name, "bold"), "  ", (progress.state, _COLOURS[progress.state]), f"  {duration(progress.elapsed_s)}"
        )
    ]
    done = fraction_done(progress)
    if done is not None:  # the padding ends the bar's line, which it does not do itself
        parts.append(Padding(ProgressBar(total=1.0, completed=done, width=_BAR_WIDTH), 0))
    parts += [_Counters(progress, speed), Text(_foot(progress), style="dim")]
    if progress.last_error and progress.state in ("retrying", "failed"):
        parts.append(Text(progress.last_error, style="yellow"))
    return Group(*parts)


def _foot(progress: Progress) -> str:
    foot = [down(progress), lag(progress), f"batch {batch(progress)}", f"in flight {count(progress.pending)}"]
    if progress.checkpoint_age_s is not None:
        foot.append(f"checkpoint {duration(progress.checkpoint_age_s)} ago")
    return GAP.join(filter(None, foot))


class _Counters:
    """The numbers, in as many columns as there is room for: a number is shown whole or not at all."""

    def __init__(self, progress: Progress, speed: Speed) -> None:
        read_bytes = sum(source.bytes for source in progress.sources)
        written_bytes = sum(sink.bytes for sink in progress.sinks)
        self._rows = (
            ("read", count(progress.read), rate(speed.read), size(read_bytes), f"{size(speed.read_bytes)}/s"),
            ("written", count(progress.written), rate(speed.written), size(written_bytes),
             f"{size(speed.written_bytes)}/s"),
            ("filtered", count(progress.filtered), "", "", ""),
            ("errors", count(lost(progress)), "", "", ""),
        )  # fmt: skip
        self._alarm = bool(lost(progress))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        widths = [max(map(width_of, column)) for column in zip(*self._rows, strict=True)]
        shown = _fitting(widths, options.max_width)
        grid = Table.grid(padding=(0, len(GAP)))
        grid.add_column()  # where all else fails it is the words that are cut
        for column in shown[1:]:
            grid.add_column(justify="right", no_wrap=True, min_width=widths[column])
        for row in self._rows:
            style = "red" if row[0] == "errors" and self._alarm else ""
            grid.add_row(Text(row[0], style=style, no_wrap=True), *(row[column] for column in shown[1:]))
        yield grid


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """Return the columns that are shown, in their order: those of highest importance that fit."""
    shown = list(range(len(widths)))
    for column in _DISPENSABLE:
        if sum(widths[i] for i in shown) + len(GAP) * (len(shown) - 1) > room:
            shown.remove(column)
    return shown
