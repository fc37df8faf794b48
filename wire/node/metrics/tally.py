"""What pipelines have come to on this node, over all runs that began and ended here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from wire.api.views import Figures
from wire.cluster.state import PipelineKey
from wire.core.timings import Timings
from wire.node.metrics import declarations as m
from wire.node.metrics.declarations import Metric
from wire.node.metrics.sheet import Sheet
from wire.pipelines.engine.progress import Progress, SinkProgress

Counted = dict[tuple[Metric, tuple[str, ...]], float | Timings]

_SPARE: Final = 100
_TIMES: Final = (m.CHECKPOINT_AGE, m.SOURCE_LAG_SECONDS)


class Tally:
    """Adds up the counters of runs. `over` is told of each run that is, with the last it said of itself.

    A run that dies may have read more than it said last, but nothing that was committed: it is read again, and counted.
    """

    def __init__(self, exists: Callable[[PipelineKey], bool]) -> None:
        """Begin with nothing; what does not exist any more is forgotten."""
        self._exists = exists
        self._past: dict[PipelineKey, Counted] = {}
        self._room = _SPARE

    def over(self, pipeline: PipelineKey, progress: Progress) -> None:
        """Keep what a run has counted, unless its pipeline is gone."""
        if not self._exists(pipeline):
            self._past.pop(pipeline, None)
            return
        _add(self._past.setdefault(pipeline, {}), _counters(progress))
        if len(self._past) > self._room:  # I8: where nobody scrapes, too
            self.forget()

    def forget(self) -> None:
        """Forget pipelines that do not exist any more."""
        for gone in [key for key in self._past if not self._exists(key)]:
            del self._past[gone]
        self._room = 2 * len(self._past) + _SPARE

    def put_on(self, sheet: Sheet, running: Iterable[tuple[PipelineKey, Progress | None]]) -> None:
        """Have a sheet show what is over and what runs."""
        self.forget()
        past = {key: counted.copy() for key, counted in self._past.items()}
        now = [(key, progress) for key, progress in running if self._exists(key)]

        def fill(sheet: Sheet) -> None:
            for key, progress in now:
                _add(past.setdefault(key, {}), _counters(progress or Progress()))
            for key, counted in past.items():
                for (metric, labels), value in counted.items():
                    sheet.put(metric, value, *key, *labels)
            _put_gauges(sheet, now)

        sheet.later(fill)

    def figures(
        self, pipelines: Sequence[PipelineKey], running: Iterable[tuple[PipelineKey, Progress | None]]
    ) -> Callable[[], list[Figures]]:
        """Return what tells what has become of these pipelines' records, in their order: what is scraped, added up.

        It tells it as of now, and may be called in another thread.
        """
        there = {key for key in pipelines if self._exists(key)}
        past = {key: self._past[key].copy() for key in there & self._past.keys()}
        now: dict[PipelineKey, list[Progress]] = {key: [] for key in pipelines}
        for key, progress in running:
            if progress is not None and key in there:
                now[key].append(progress)
        return lambda: [_figures(past.get(key, {}), now[key]) for key in pipelines]


def _figures(past: Counted, running: Sequence[Progress]) -> Figures:
    sums: Counter[Metric] = Counter()
    for (metric, _), value in past.items():
        sums[metric] += _whole(value)
    for progress in running:
        for metric, _, value in _counters(progress):
            sums[metric] += _whole(value)
    gauges: dict[Metric, list[float]] = {}
    for progress in running:
        for metric, _, value in _gauges(progress):
            gauges.setdefault(metric, []).append(value)
    records, sizes, seconds = map(gauges.get, (m.SOURCE_LAG_RECORDS, m.SOURCE_LAG_BYTES, m.SOURCE_LAG_SECONDS))
    return Figures(
        received=sums[m.SOURCE_RECORDS],
        sent=sums[m.SINK_RECORDS] - sums[m.DEAD_LETTERED],  # whose sink is one of them
        filtered=sums[m.FILTERED],
        dead_lettered=sums[m.DEAD_LETTERED],
        skipped=sums[m.SKIPPED],
        retried=sums[m.SINK_RETRIED],
        shed=sums[m.SINK_SHED],
        sinks_down=tuple(sorted({s.name for each in running for s in _sinks(each) if s.breaker != "closed"})),
        lag_records=int(sum(records)) if records else None,
        lag_bytes=int(sum(sizes)) if sizes else None,
        lag_ms=round(max(seconds) * 1000) if seconds else None,
    )


def _whole(value: float | Timings) -> int:
    """Return a count of records; what is none is of no account."""
    return 0 if isinstance(value, Timings) else int(value)


def _counters(progress: Progress) -> Iterator[tuple[Metric, tuple[str, ...], float | Timings]]:
    yield m.FILTERED, (), progress.filtered
    yield m.DEAD_LETTERED, (), progress.dead_lettered
    yield m.SKIPPED, (), progress.skipped
    yield m.CHECKPOINTS, (), progress.checkpoints
    for code, reason in progress.reasons.items():
        yield m.REJECTED, (code,), reason.records
    for source in progress.sources:
        yield m.SOURCE_RECORDS, (source.name,), source.read
        yield m.SOURCE_BYTES, (source.name,), source.bytes
        yield m.SOURCE_HELD_UP, (source.name,), source.held_up_s
    for sink in _sinks(progress):
        yield m.SINK_RECORDS, (sink.name,), sink.written
        yield m.SINK_BYTES, (sink.name,), sink.bytes
        yield m.SINK_RETRIED, (sink.name,), sink.retried
        yield m.SINK_SHED, (sink.name,), sink.shed
        yield m.SINK_BREAKER_OPENED, (sink.name,), sink.breaker_opened
        yield m.SINK_HELD_UP, (sink.name,), sink.held_up_s
        yield m.SINK_WRITES, (sink.name,), sink.writes
        yield m.DELIVERIES, (sink.name,), sink.deliveries
        for outcome, count in sink.counts.items():
            yield m.SINK_OUTCOMES, (sink.name, outcome), count


def _sinks(progress: Progress) -> list[SinkProgress]:
    return progress.sinks if progress.dead_letter is None else [*progress.sinks, progress.dead_letter]


def _add(to: Counted, counted: Iterable[tuple[Metric, tuple[str, ...], float | Timings]]) -> None:
    for metric, labels, value in counted:
        found = to.get((metric, labels))
        if isinstance(value, Timings):
            total = Timings()
            for each in (found, value):
                if isinstance(each, Timings):
                    total.add(each)
            to[metric, labels] = total
        else:
            to[metric, labels] = value if found is None or isinstance(found, Timings) else found + value


def _put_gauges(sheet: Sheet, running: list[tuple[PipelineKey, Progress | None]]) -> None:
    """Show what is now: amounts of several tasks are added up, of times the longest counts."""
    sums: Counter[tuple[Metric, tuple[str, ...]]] = Counter()
    longest: dict[tuple[Metric, tuple[str, ...]], float] = {}
    for key, progress in running:
        sums[m.TASKS, (*key, "waiting" if progress is None else progress.state)] += 1
        for metric, labels, value in _gauges(progress) if progress is not None else ():
            where = (metric, (*key, *labels))
            if metric in _TIMES:
                longest[where] = max(longest.get(where, 0.0), value)
            else:
                sums[where] += value  # type: ignore[assignment] # all of these are whole
    for (metric, labels), value in (*sums.items(), *longest.items()):
        sheet.put(metric, value, *labels)


def _gauges(progress: Progress) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
    yield m.PENDING, (), progress.pending
    if progress.checkpoint_age_s is not None:
        yield m.CHECKPOINT_AGE, (), progress.checkpoint_age_s
    for source in progress.sources:
        lags = (
            (m.SOURCE_LAG_RECORDS, source.lag_records),
            (m.SOURCE_LAG_BYTES, source.lag_bytes),
            (m.SOURCE_LAG_SECONDS, source.lag_s),
        )
        for metric, lag in lags:
            if lag is not None:
                yield metric, (source.name,), lag
    for sink in _sinks(progress):
        yield m.SINK_QUEUED, (sink.name,), sink.queued
        yield m.SINK_IN_FLIGHT, (sink.name,), sink.in_flight
        yield m.SINK_BREAKERS, (sink.name, sink.breaker), 1
