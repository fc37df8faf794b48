"""Whether what a sink keeps of a document that changes is its newest version, and not just whatever came last."""

from __future__ import annotations

from typing import Final

from wire.core.errors import WireError
from wire.pipelines.lint.findings import Findings
from wire.pipelines.loaded import LoadedPipeline, SinkComponent
from wire.pipelines.plan import parse_at

_VERSIONED: Final = ("elasticsearch",)
"""Sinks that version a document by its record's place in the partition, unless told otherwise."""

_SHARED_PLACES: Final = ("mongodb",)
"""Sources in which several changes may have the same place: those of one transaction share its time."""

_OF_THE_KEY: Final = frozenset({"key", "partition", "offset"})
"""Metadata that keeps the changes of one document in one partition, or makes every record a document of its own."""


def check_versions(pipeline: LoadedPipeline, findings: Findings) -> None:
    """Check that the versions of every sink's documents rise with their changes."""
    for sink in pipeline.sinks:
        if sink.type in _VERSIONED and sink.config.versioned and sink.config.version is None:
            _check_place_versions(sink, pipeline, findings)


def _check_place_versions(sink: SinkComponent, pipeline: LoadedPipeline, findings: Findings) -> None:
    path = f"{sink.path}.config"
    try:
        id_ = parse_at(sink.config.id, f"{path}.id")
    except WireError:
        return  # reported where all expressions are checked
    if id_.fields or not id_.metas <= _OF_THE_KEY:
        message = "an `id` that is not the record's key needs a `version`: changes of a document may come in any order"
        hint = "name a field that rises with every change, as in version: updated_at; or set id: meta_key()"
        findings.add("config.missing", f"{path}.version", message, hint)
    elif len(pipeline.sources) > 1 and "key" in id_.metas:
        message = "records of several sources have no order that could serve as their documents' `version`"
        hint = "name a field that rises with every change, as in version: updated_at"
        findings.add("config.missing", f"{path}.version", message, hint)
    elif sink.config.version_type == "external" and any(s.type in _SHARED_PLACES for s in pipeline.sources):
        message = "all changes of a transaction have one version: `external` keeps the first of them, not the last"
        findings.add("config.conflict", f"{path}.version_type", message, "remove `version_type`")
