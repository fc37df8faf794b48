"""From the components of a loaded pipeline to what they configure: sources, sinks, plan nodes, output plans."""

from __future__ import annotations

from typing import Any

from wire.core.formats import Format
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink, Source
from wire.pipelines.loaded import Component, LoadedPipeline, SinkComponent
from wire.pipelines.plan import OutputPlan, PlanNode, sink_expressions
from wire.pipelines.transforms import TransformContext


def build_source(component: Component, pipeline: LoadedPipeline, *, bounded: bool = False) -> Source:
    """Make a source, without opening it; a `bounded` one ends at what is there now. Raises ConfigError."""
    context = context_of(component, pipeline, bounded=bounded)
    source: Source = component.plugin.build(component.config, context)
    return source


def build_sink(component: Component, pipeline: LoadedPipeline, shared: dict[object, Any] | None = None) -> Sink:
    """Make a sink, or the sink of the dead letters, without opening it. Raises ConfigError.

    `shared` is what the sinks of a task have in common (`shared_by_sinks`); a sink without is by itself.
    """
    sink: Sink = component.plugin.build(component.config, context_of(component, pipeline, shared=shared))
    return sink


def shared_by_sinks(pipeline: LoadedPipeline) -> dict[object, Any] | None:
    """Return what the sinks of a task are built with, one after the other and that of the dead letters last."""
    return {} if pipeline.spec.delivery == "exactly_once" else None


def context_of(
    component: Component,
    pipeline: LoadedPipeline,
    *,
    bounded: bool = False,
    shared: dict[object, Any] | None = None,
) -> ComponentContext:
    """Return what a source or sink of a pipeline is told when it is built."""
    return ComponentContext(
        pipeline.spec.name,
        component.name,
        bounded=bounded,
        permissions=pipeline.permissions,
        shared=shared,
        dead_letter=component is pipeline.dead_letter,
    )


def build_transforms(pipeline: LoadedPipeline) -> list[PlanNode]:
    """Make the transforms anew, in order: a compiled stage each, since they may keep state while it is compiled."""
    return [build_transform(transform, TransformContext(transform.path)) for transform in pipeline.transforms]


def build_transform(component: Component, context: TransformContext) -> PlanNode:
    """Make one transform, told what is not as usual. Raises ConfigError."""
    node: PlanNode = component.plugin.build(component.config, context)
    return node


def plan_output(sink: SinkComponent, form: Format) -> OutputPlan:
    """Return what the planner is to write for a sink that takes records in `form`."""
    return OutputPlan(sink.name, form, sink.when, sink_expressions(sink.config), sink.path)
