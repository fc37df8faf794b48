"""One scrape: values are put down on the event loop, and turned into text in another thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from wire.api.ports import Exposition
from wire.core.timings import BOUNDS_S, Timings
from wire.node.metrics.declarations import Metric

_EDGES: Final = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
_PROCESS: Final = ProcessCollector(registry=None)


class Sheet(Collector):
    """Values by metric and labels. What is put down twice is the later one."""

    def __init__(self) -> None:
        """Begin with an empty one."""
        self.values: dict[Metric, dict[tuple[str, ...], float | Timings]] = {}
        self._later: list[Callable[[Sheet], None]] = []

    def put(self, metric: Metric, value: float | Timings, *labels: str) -> None:
        """Put a value down as it is now."""
        self.values.setdefault(metric, {})[labels] = value.copy() if isinstance(value, Timings) else value

    def later(self, fill: Callable[[Sheet], None]) -> None:
        """Have something filled in by the thread that writes the text, from what does not change any more."""
        self._later.append(fill)

    def text(self, accept: str) -> Exposition:
        """Return all of it in the format that `accept` prefers. Blocks for as long as there is much."""
        for fill in self._later:
            fill(self)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        encode, media_type = choose_encoder(accept)
        return Exposition(encode(registry), media_type)

    def collect(self) -> Iterator[Family]:
        """Give all of it as the library wants it, with what the system says of this process."""
        for metric, values in self.values.items():
            yield _family(metric, values)
        yield from _PROCESS.collect()


def _family(metric: Metric, values: dict[tuple[str, ...], float | Timings]) -> Family:
    match metric.kind:
        case "counter":
            counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in values.items():
                counter.add_metric(labels, _number(value))
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in values.items():
                gauge.add_metric(labels, _number(value))
            return gauge
        case "histogram":
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in values.items():
                if isinstance(value, Timings):
                    buckets = list(zip(_EDGES, accumulate(value.counts), strict=True))
                    histogram.add_metric(labels, buckets, value.sum_s)
            return histogram


def _number(value: float | Timings) -> float:
    return value.count if isinstance(value, Timings) else value
