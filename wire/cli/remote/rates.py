"""From what nodes have counted, answer by answer, to records a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from wire.api import views
from wire.cli.numbers import behind, count, rate

_READINGS: Final = 6
"""Rates are taken over so many at most: workers report twice a second, and over one second that shows."""
_ALWAYS: Final = ("received", "sent")
_IF_ANY: Final = ("filtered", "dead_lettered", "skipped", "retried", "shed")


class Rate(Struct, frozen=True):
    """Records a second."""

    received: float
    sent: float


class Meter:
    """Remembers what each node has counted of each pipeline, and makes rates of it, which are never negative.

    A node is measured by its own clock, from the oldest of its last few answers on. One that begins anew, or had no
    part in the answer before, has no rate: nobody knows when it has counted that.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._readings: dict[tuple[str, str], deque[views.NodeFigures]] = {}

    def rates(self, found: Iterable[views.PipelineFigures]) -> dict[str, Rate]:
        """Take note of an answer, and return the rates of those pipelines whose nodes all have one, by name."""
        before, self._readings = self._readings, {}
        rates: dict[str, Rate] = {}
        for each in found:
            measured = [self._measure(before, (each.name, node.node), node) for node in each.nodes]
            known = [one for one in measured if one is not None]
            if known and len(known) == len(measured):
                rates[each.name] = added_up(known)
        return rates

    def _measure(
        self,
        before: Mapping[tuple[str, str], deque[views.NodeFigures]],
        who: tuple[str, str],
        now: views.NodeFigures,
    ) -> Rate | None:
        readings = before.get(who)
        if readings is None or _began_anew(readings[-1], now):
            readings = deque(maxlen=_READINGS)
        readings.append(now)
        self._readings[who] = readings
        first = readings[0]
        seconds = (now.uptime_ms - first.uptime_ms) / 1000
        if seconds <= 0:
            return None
        return Rate((now.received - first.received) / seconds, (now.sent - first.sent) / seconds)


def _began_anew(last: views.NodeFigures, now: views.NodeFigures) -> bool:
    """Say whether a node was started again, or forgot the pipeline when it was deleted."""
    return now.uptime_ms < last.uptime_ms or now.received < last.received or now.sent < last.sent


def added_up(rates: Iterable[Rate]) -> Rate:
    """Return what several come to."""
    everything = list(rates)
    return Rate(sum(each.received for each in everything), sum(each.sent for each in everything))


def in_and_out(found: Rate | None) -> tuple[str, str]:
    """Return both in words, `-` where they are not known."""
    return ("-", "-") if found is None else (rate(found.received), rate(found.sent))


def lag(found: Sequence[views.PipelineFigures]) -> str:
    """Return how far the sources' ends are away, nothing where nobody knows."""
    records = [each.lag_records for each in found if each.lag_records is not None]
    sizes = [each.lag_bytes for each in found if each.lag_bytes is not None]
    times = [each.lag_ms for each in found if each.lag_ms is not None]
    seconds = max(times) / 1000 if times else None
    return behind(sum(records) if records else None, sum(sizes) if sizes else None, seconds)


def counted(found: views.PipelineFigures) -> list[tuple[str, str]]:
    """Return what has become of a pipeline's records as rows with a heading; none where nobody has counted."""
    rows = []
    if found.nodes:
        numbers = {name: getattr(found, name) for name in (*_ALWAYS, *_IF_ANY)}
        shown = [name for name, number in numbers.items() if number or name in _ALWAYS]
        words = ", ".join(f"{count(numbers[name])} {name.replace('_', '-')}" for name in shown)
        rows = [("records", words), *([("lag", far)] if (far := lag([found])) else [])]
    if found.sinks_down:
        rows.append(("down", ", ".join(found.sinks_down)))
    if found.unanswered:
        rows.append(("no answer", f"{', '.join(found.unanswered)}, whose part is missing"))
    return rows


def unanswered(found: Iterable[views.PipelineFigures]) -> list[str]:
    """Return the nodes whose part is missing."""
    return sorted({node for each in found for node in each.unanswered})
