"""From the components of a loaded pipeline to what they configure: sources, sinks, plan nodes, output plans."""

from __future__ import annotations

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


def build_sink(component: Component, pipeline: LoadedPipeline) -> Sink:
    """Make a sink, or the sink of the dead letters, without opening it. Raises ConfigError."""
    sink: Sink = component.plugin.build(component.config, context_of(component, pipeline))
    return sink


def context_of(component: Component, pipeline: LoadedPipeline, *, bounded: bool = False) -> ComponentContext:
    """Return what a source or sink of a pipeline is told when it is built."""
    return ComponentContext(pipeline.spec.name, component.name, bounded=bounded, permissions=pipeline.permissions)


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
