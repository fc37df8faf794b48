"""`unflatten: {separator: _}`: put fields into fields by their names: `{a_b: 1}` becomes `{a: {b: 1}}`.

Every name is taken apart at the separator, in the order of the fields. With `arrays: index` an object whose names are
0, 1, 2… without a gap becomes a list. A record that has both a field and fields to put into it fails. `flatten` is the
way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from wire.core.config import Config, doc
from wire.core.errors import RecordError
from wire.core.plugins import Plugin
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.flatten import check_separator


class UnflattenConfig(Config, frozen=True, kw_only=True):
    """How names are taken apart, and what is made of them."""

    separator: Annotated[str, doc("What stands between the parts of a name.")] = "."
    depth: Annotated[
        int | None, Meta(ge=1, description="Make so many levels only; as many as there are if absent.")
    ] = None
    arrays: Annotated[
        Literal["keep", "index"], doc("`keep` objects as they are, or make lists of those with the names 0, 1, 2…")
    ] = "keep"

    def __post_init__(self) -> None:
        check_separator(self.separator)


class _Made(dict[str, Any]):
    """An object made of names, as against one that a field held."""


@dataclass(frozen=True, slots=True)
class Unflatten:
    """Makes a record of several levels from one of one level."""

    config: UnflattenConfig

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        deep = builder.constant(_Unflattener(self.config).record)
        builder.rewrite(f"{deep}({builder.whole()})")


class _Unflattener:
    def __init__(self, config: UnflattenConfig) -> None:
        self._separator = config.separator
        self._splits = -1 if config.depth is None else config.depth
        self._finish = _with_lists if config.arrays == "index" else _plain

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        deep: dict[str, Any] = {}
        made: list[tuple[dict[str, Any], str, _Made]] = []
        for name, value in record.items():
            *outer, last = name.split(self._separator, self._splits)
            inside = deep
            for part in outer:
                inner = inside.get(part)
                if inner is None and part not in inside:
                    inner = inside[part] = _Made()
                    made.append((inside, part, inner))
                elif inner.__class__ is not _Made:
                    raise _conflict(name, part)
                inside = inner
            if last in inside:
                raise _conflict(name, last)
            inside[last] = value
        for holder, name, inner in reversed(made):  # from within: what is inside is finished before what it is in
            holder[name] = self._finish(inner)
        return deep


def _plain(made: _Made) -> Any:
    return dict(made)


def _with_lists(made: _Made) -> Any:
    names = [str(index) for index in range(len(made))]
    if made.keys() == set(names):
        return [made[name] for name in names]
    return dict(made)


def _conflict(name: str, part: str) -> RecordError:
    message = f"`{part[:100]}` can't hold what `{name[:100]}` puts there: it has a value of its own"
    return RecordError("transform.unflatten.conflict", message, hint="drop or rename one of them before")


def build(config: UnflattenConfig, context: TransformContext) -> Unflatten:
    """Make the transform."""
    return Unflatten(config)


PLUGIN = Plugin(
    kind="transform",
    summary="Put fields into fields by the parts of their names.",
    config=UnflattenConfig,
    build=build,
    example="unflatten: {separator: _}",
)
