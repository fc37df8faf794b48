"""A pipeline that passed lint: its specification with every component found and its configuration parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wire.core.config import Expression
from wire.core.permissions import EVERYTHING, Permissions
from wire.core.plugins import Plugin
from wire.pipelines.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class Component:
    """One source, transform or sink: `config` is an object of `plugin.config`, `path` says where it was written."""

    name: str
    type: str
    plugin: Plugin
    config: Any
    path: str


@dataclass(frozen=True, slots=True)
class SinkComponent(Component):
    """A sink; `when` says which records go there, None for all."""

    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """What the runner runs. References are resolved; secrets are in `Secret` fields.

    `permissions` are those it was checked under; its components are told them.
    """

    spec: PipelineSpec
    sources: tuple[Component, ...]
    transforms: tuple[Component, ...]
    sinks: tuple[SinkComponent, ...]
    dead_letter: Component | None
    permissions: Permissions = EVERYTHING
