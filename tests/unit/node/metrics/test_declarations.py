"""Names as Prometheus wants them, and labels that have few values."""

from __future__ import annotations

import re

import pytest

from wire.node.metrics.declarations import ALL, Metric

UNITS = ("records", "bytes", "seconds", "writes", "entries", "index", "tasks", "leases", "members", "nodes",
         "pipelines", "connections", "info", "up", "role", "term", "trouble")  # fmt: skip
LABELS = {"namespace", "pipeline", "component", "code", "state", "outcome", "worker", "role", "vote", "method", "route",
          "protocol", "status", "version", "python", "node"}  # fmt: skip


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_metric_is_named_by_the_house_rules(metric: Metric) -> None:
    assert re.fullmatch(r"wire(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    if metric.kind != "counter":
        assert metric.name.rpartition("_")[2] in UNITS
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds")
    assert set(metric.labels) <= LABELS
    assert metric.help.endswith(".")


def test_no_two_have_one_name() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)
