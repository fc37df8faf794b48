"""From a loaded pipeline to the parts of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wire.core.records import PartitionId
from wire.pipelines.building import build_sink, build_source, build_transforms, plan_output, shared_by_sinks
from wire.pipelines.engine.assembly import Parts, SinkPart, SourcePart
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.plan import OutputPlan, compile_stage
from wire.pipelines.spec import SinkSpec, SourceSpec
from wire.pipelines.stage import Stage

Share = Mapping[str, Sequence[PartitionId]]
"""Partitions by the name of their source; one that is not named has none."""


def build_parts(
    pipeline: LoadedPipeline,
    *,
    bounded: bool = False,
    share: Share | None = None,
    slot: int = 0,
    version: int | None = None,
    tasks: int = 1,
) -> Parts:
    """Build every component, without opening any; `bounded` sources end at what is there now.

    The task reads its `share` and nothing else, or all there is where that is None; `slot` tells it from the others
    of its pipeline, `tasks` in all, whose `version` it runs where these are counted. Raises ConfigError,
    UnavailableError where a library is missing.
    """
    shared = shared_by_sinks(pipeline)
    sinks = [_sink(s, pipeline, shared, spec) for s, spec in zip(pipeline.sinks, pipeline.spec.every_sink, strict=True)]
    outputs = [plan_output(sink, part.sink.format) for sink, part in zip(pipeline.sinks, sinks, strict=True)]
    sources = [
        _source(
            source,
            spec,
            pipeline,
            outputs,
            bounded=bounded,
            share=None if share is None else share.get(source.name, ()),
        )
        for source, spec in zip(pipeline.sources, pipeline.spec.every_source, strict=True)
    ]
    letters = pipeline.dead_letter
    dead_letter = _sink(letters, pipeline, shared, SinkSpec(type=letters.type)) if letters else None
    return Parts(pipeline.spec, sources, sinks, dead_letter, slot, version, tasks)


def _sink(component: Component, pipeline: LoadedPipeline, shared: dict[object, Any] | None, spec: SinkSpec) -> SinkPart:
    return SinkPart(component.name, component.type, component.path, build_sink(component, pipeline, shared), spec)


def _source(
    component: Component,
    spec: SourceSpec,
    pipeline: LoadedPipeline,
    outputs: Sequence[OutputPlan],
    *,
    bounded: bool,
    share: Sequence[PartitionId] | None,
) -> SourcePart:
    source = build_source(component, pipeline, bounded=bounded)

    def compiled() -> Stage:
        return compile_stage(source.format, component.name, build_transforms(pipeline), outputs, component.path)

    return SourcePart(component.name, component.type, component.path, source, compiled, bounded, share, spec)
