"""Draws the results: what a CPU-second does, how long records take, how much memory is used. Plain SVG."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.arithmetic import Spread

WIDTH = 920
_LEFT, _RIGHT = 150, 770
_ROW, _GAP, _PANEL = 20, 10, 62
_LINE_HEIGHT = 130
_NAMES = {"wire": "Wire", "bare": "bare loop", "nothing": "nothing between"}
_STYLE = """<style>
text{fill:#0f172a}.small{font-size:12px;fill:#475569}
.wire{fill:#0369a1}.bare{fill:#94a3b8}.nothing{fill:#cbd5e1}
.spread{stroke:#0f172a;stroke-width:1.2}.line{fill:none;stroke:#0369a1;stroke-width:1.8}
.axis{stroke:#94a3b8;stroke-width:1}.limit{stroke:#b91c1c;stroke-width:1.2;stroke-dasharray:5 4}
</style>"""


class Bar(msgspec.Struct, frozen=True):
    """One bar with its spread; bars of one `group` stand together."""

    group: str
    contender: str
    value: Spread


class Line(msgspec.Struct, frozen=True):
    """Values every `every_s` seconds, and the limit they are to stay below."""

    values: Sequence[float]
    every_s: float
    limit: float


def draw(costs: Sequence[Bar], percentiles: Sequence[Bar], memory: Line | None) -> str:
    """Return the picture. A panel without data is left out."""
    body: list[str] = []
    top = 10.0
    if costs:
        body += _bars("Records per CPU-second (longer is better)", costs, top, "{:,.0f}")
        top += _height(costs)
    if percentiles:
        body += _bars("Milliseconds from producer to consumer (shorter is better)", percentiles, top, "{:.1f}")
        top += _height(percentiles)
    if memory:
        body += _line("Resident memory of `wire run`, MiB", memory, top)
        top += _LINE_HEIGHT + _PANEL
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" '
            'font-family="ui-sans-serif, system-ui, sans-serif" font-size="14">',
            "<title>What Wire reaches beside a hand-written loop</title>",
            _STYLE,
            f'<rect width="{WIDTH}" height="{top:.0f}" fill="#fff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _height(bars: Sequence[Bar]) -> float:
    return _PANEL + _ROW * len(bars) + _GAP * len({bar.group for bar in bars})


def _bars(title: str, bars: Sequence[Bar], top: float, number: str) -> Iterator[str]:
    scale = (_RIGHT - _LEFT) / max(bar.value.high for bar in bars)
    yield _text(20, top + 20, title, weight=600)
    y = top + 38
    group = ""
    for bar in bars:
        if bar.group != group:
            y += _GAP if group else 0
            group = bar.group
            yield _text(20, y + 14, group)
        low, median, high = (_LEFT + value * scale for value in (bar.value.low, bar.value.median, bar.value.high))
        middle = y + _ROW / 2
        yield (
            f'<rect class="{bar.contender}" x="{_LEFT}" y="{y + 2:.0f}" width="{median - _LEFT:.1f}" '
            f'height="{_ROW - 4}" rx="2"/>'
        )
        yield _segment("spread", low, middle, high, middle)
        label = f"{number.format(bar.value.median)}  {_NAMES[bar.contender]}"
        yield _text(max(median, high) + 8, y + 14, label, kind="small")
        y += _ROW


def _line(title: str, line: Line, top: float) -> Iterator[str]:
    ceiling = max(line.limit * 1.1, *line.values)
    bottom = top + 38 + _LINE_HEIGHT

    def across(index: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * index / max(1, len(line.values) - 1)

    def up(value: float) -> float:
        return bottom - _LINE_HEIGHT * value / ceiling

    yield _text(20, top + 20, title, weight=600)
    yield _segment("axis", _LEFT, bottom, _RIGHT, bottom)
    yield _segment("limit", _LEFT, up(line.limit), _RIGHT, up(line.limit))
    yield _text(_RIGHT + 8, up(line.limit) + 4, f"limit {line.limit:.0f}", kind="small")
    points = " ".join(f"{across(index):.1f},{up(value):.1f}" for index, value in enumerate(line.values))
    yield f'<polyline class="line" points="{points}"/>'
    yield _text(_RIGHT + 8, up(line.values[-1]) + 4, f"{line.values[-1]:.0f}", kind="small")
    yield _text(_LEFT, bottom + 16, "0 s", kind="small")
    yield _text(_RIGHT - 30, bottom + 16, f"{len(line.values) * line.every_s:.0f} s", kind="small")


def _segment(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, *, kind: str = "", weight: int = 400) -> str:
    looks = (f' class="{kind}"' if kind else "") + (f' font-weight="{weight}"' if weight != 400 else "")
    return f'<text x="{x:.0f}" y="{y:.0f}"{looks}>{html.escape(text)}</text>'
