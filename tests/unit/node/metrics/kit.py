"""Reads what a sheet says."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from wire.node.metrics.sheet import Sheet


def read(text: str) -> dict[str, float]:
    """Samples as Prometheus reads them, by name and labels: `wire_x_total{code=a}`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def shown(sheet: Sheet) -> dict[str, float]:
    return read(sheet.text("").body.decode())
