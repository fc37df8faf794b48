"""Whether documents of one store may go into another as they are."""

from __future__ import annotations

from typing import Final

from wire.core.errors import WireError
from wire.pipelines.lint.findings import Findings
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.plan import parse_select_at

_KEEPING: Final = frozenset(
    [
        "cast",
        "dedupe",
        "enrich",
        "explode",
        "filter",
        "lookup",
        "mask",
        "parse",
        "pii",
        "rate_limit",
        "sample",
        "timestamp",
        "validate",
    ]
)
"""Transforms that take no field away from the record."""


def check_documents(pipeline: LoadedPipeline, findings: Findings) -> None:
    """Warn where a MongoDB document's `_id` reaches Elasticsearch, which refuses every document with such a field."""
    if not any(map(_gives_id, pipeline.sources)) or not all(map(_keeps_id, pipeline.transforms)):
        return
    for sink in pipeline.sinks:
        if sink.type == "elasticsearch":
            message = "MongoDB's documents hold their `_id`, and Elasticsearch refuses documents with such a field"
            hint = "add `- drop: [_id]` to the transforms; the document's id comes from `id`"
            findings.warn("config.conflict", sink.path, message, hint)


def _gives_id(source: Component) -> bool:
    return source.type == "mongodb" and source.config.value == "document" and not source.config.pipeline


def _keeps_id(transform: Component) -> bool:
    """Whether the field `_id` is certain to be there behind a transform, if it was before."""
    if transform.type == "drop":
        return "_id" not in transform.config
    if transform.type == "select":
        try:
            items = parse_select_at(transform.config, transform.path)
        except WireError:
            return False  # reported where all expressions are checked
        return any(item.name == "_id" or (item.name is None and "_id" not in item.exclude) for item in items)
    return transform.type in _KEEPING
