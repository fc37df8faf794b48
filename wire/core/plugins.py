"""Components as plugins: what an entry point offers, and the registry that finds it.

Built-in and third-party components register alike, through the entry points `wire.sources`, `wire.sinks` and
`wire.transforms`. The entry point's name is the `type` in YAML; its target is a `Plugin`.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wire.core.clock import Clock, SystemClock
from wire.core.config import suggest
from wire.core.errors import ConfigError, Finding, UnavailableError
from wire.core.permissions import EVERYTHING, Permissions

Kind = Literal["source", "sink", "transform"]


@dataclass(frozen=True, slots=True)
class ComponentContext:
    """What a component is told about where it runs.

    `bounded` asks a source to end at what is there when it is opened, instead of following. `permissions` are to be
    asked for local paths that the configuration does not name itself: those that a pattern finds, or a record says.

    `shared` is there where the pipeline is delivered exactly once: what the sinks of one task have in common, such as
    transactions, by keys of their own. `dead_letter` sinks are built last, and join what others have, if they can.
    """

    pipeline: str
    name: str
    bounded: bool = False
    clock: Clock = field(default_factory=SystemClock)
    permissions: Permissions = EVERYTHING
    shared: dict[object, Any] | None = None
    dead_letter: bool = False


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How what a sink has written is read: a source's name, the fields of its configuration, and in which form it is.

    It is `enveloped` where the sink carries neither key nor headers.
    """

    source: str
    config: Mapping[str, Any]
    enveloped: bool


@dataclass(frozen=True, slots=True)
class Plugin:
    """One component: its configuration and how to build it.

    `config` is a `Config` struct (or, for a transform, any type `wire.core.config.parse` takes). For a source
    `build(config, ComponentContext)` returns a `Source`, for a sink a `Sink`; for a transform it is
    `build(config, TransformContext)` of `wire.pipelines.transforms`. Building does no I/O and may import the
    connector's library; where that is not installed it raises UnavailableError, which names `extra`.

    A source whose records can't be read again after a crash has no `repeats`. A component that uses the process's
    own standard streams says `terminal`: it is of no use in a cluster. A sink that finds the end of what it wrote
    by the checkpoints, as those with a `TransactionalWriter` do, says `one_task`: a partition that goes to another
    task takes its checkpoint along, so only one task may write there. `keeps_files` tells of a configuration
    whether what is written stays on the machine that writes it: then the task does, too. A sink that is good for
    dead letters says by `read_back` how they are read.
    """

    kind: Kind
    summary: str
    config: Any
    build: Callable[[Any, Any], Any]
    extra: str | None = None
    example: str = ""
    terminal: bool = False
    one_task: bool = False
    repeats: bool = True
    keeps_files: Callable[[Any], bool] = lambda _: False
    read_back: Callable[[Any], ReadBack] | None = None

    def __post_init__(self) -> None:
        if self.extra is not None:
            object.__setattr__(self, "build", _with_library(self.build, self.extra))


def _with_library(build: Callable[[Any, Any], Any], extra: str) -> Callable[[Any, Any], Any]:
    @functools.wraps(build, updated=())
    def built(config: Any, context: Any) -> Any:
        try:
            return build(config, context)
        except ModuleNotFoundError as exc:
            if exc.name is None or exc.name.partition(".")[0] == "wire":
                raise
            raise missing_dependency(extra, extra, exc) from exc

    return built


GROUPS: dict[Kind, str] = {"source": "wire.sources", "sink": "wire.sinks", "transform": "wire.transforms"}


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of all installed components of a kind, sorted."""
    return tuple(sorted(_entries(kind)))


def load(kind: Kind, name: str, path: str = "$") -> Plugin:
    """Return a component by name. Raises ConfigError when unknown, UnavailableError when it can't be loaded."""
    entries = _entries(kind)
    if name not in entries:
        hint = suggest(name, entries) or f"installed: {', '.join(sorted(entries))}"
        message = f"no {kind} is called `{name}`"
        raise ConfigError([Finding(code="config.unknown_component", path=path, message=message, hint=hint)])
    try:
        plugin = entries[name].load()
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "wire":
            raise _broken(entries[name], path) from exc
        raise missing_dependency(name, name, exc) from exc
    except Exception as exc:  # third-party code: whatever it raises while it is imported is about it, not about us
        raise _broken(entries[name], path) from exc
    if not isinstance(plugin, Plugin) or plugin.kind != kind:
        raise _broken(entries[name], path)
    return plugin


def _broken(entry: importlib.metadata.EntryPoint, path: str) -> UnavailableError:
    return UnavailableError(
        "config.broken_component",
        f"the entry point `{entry.name}` of {entry.group} can't be loaded from {entry.value}",
        path=path,
        hint=f"reinstall or update {entry.dist.name if entry.dist else 'the package that provides it'}",
    )


def missing_dependency(component: str, extra: str, exc: ImportError) -> UnavailableError:
    """Describe a connector library that is not installed, and how to install it."""
    return UnavailableError(
        "config.missing_dependency",
        f"`{component}` needs the Python package `{exc.name}`, which is not installed",
        hint=f"pip install 'wire-cluster[{extra}]'",
    )


@functools.cache
def _entries(kind: Kind) -> dict[str, importlib.metadata.EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUPS[kind])}
