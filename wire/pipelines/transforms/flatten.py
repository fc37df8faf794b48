"""`flatten: {separator: _}`: make fields of fields into fields of the record: `{a: {b: 1}}` becomes `{a_b: 1}`.

Names are joined by the separator, in the order the fields had. With `arrays: index` the items of lists become fields as
well, named by their index from 0; else lists stay as they are, with what is in them. Whatever is empty stays. A record
in which two fields would get the same name fails. `unflatten` is the way back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from wire.core.config import Config, MisfitError, doc
from wire.core.errors import RecordError
from wire.core.plugins import Plugin
from wire.pipelines.expressions.values import MAX_TEXT
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext


class FlattenConfig(Config, frozen=True, kw_only=True):
    """How names are made, and what is taken apart."""

    separator: Annotated[str, doc("What stands between the parts of a name.")] = "."
    depth: Annotated[int | None, Meta(ge=1, description="Take apart so many levels only; all if absent.")] = None
    arrays: Annotated[
        Literal["keep", "index"], doc("`keep` lists as they are, or make fields of their items, named by `index`.")
    ] = "keep"

    def __post_init__(self) -> None:
        check_separator(self.separator)


def check_separator(separator: str) -> None:
    """Raise MisfitError for a separator that separates nothing."""
    if not separator:
        raise MisfitError("`separator` is empty", 'write what stands between the parts of a name, such as "." or _')


@dataclass(frozen=True, slots=True)
class Flatten:
    """Makes a record of one level from one of several."""

    config: FlattenConfig

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        flat = builder.constant(_Flattener(self.config).record)
        builder.rewrite(f"{flat}({builder.whole()})")


class _Flattener:
    def __init__(self, config: FlattenConfig) -> None:
        self._separator = config.separator
        self._depth = -1 if config.depth is None else config.depth  # what counts down from below 0 never ends
        self._containers = (dict,) if config.arrays == "keep" else (dict, list)

    def record(self, record: dict[str, Any]) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        room = MAX_TEXT
        for name, value in record.items():
            if value.__class__ in self._containers and value:
                room = self._add(flat, name + self._separator, value, self._depth - 1, room)
            elif name in flat:
                raise _conflict(name)
            else:
                flat[name] = value
        return flat

    def _add(self, flat: dict[str, Any], prefix: str, container: Any, levels: int, room: int) -> int:
        """Add what is in a container; `room` is how many characters the names may still have (I8)."""
        for part, value in _items(container):
            name = f"{prefix}{part}"
            if levels and value.__class__ in self._containers and value:
                room = self._add(flat, name + self._separator, value, levels - 1, room)
            elif name in flat:
                raise _conflict(name)
            else:
                flat[name] = value
                room -= len(name)
                if room < 0:
                    message = f"the names of the record's fields would be longer than {MAX_TEXT} characters together"
                    raise RecordError("transform.flatten.too_large", message, hint="set `depth`")
        return room


def _items(container: Any) -> Iterable[tuple[Any, Any]]:
    items: Iterable[tuple[Any, Any]] = container.items() if container.__class__ is dict else enumerate(container)
    return items


def _conflict(name: str) -> RecordError:
    message = f"two fields would be called `{name[:100]}`"
    return RecordError("transform.flatten.conflict", message, hint="rename one of them before, or use a `separator`")


def build(config: FlattenConfig, context: TransformContext) -> Flatten:
    """Make the transform."""
    return Flatten(config)


PLUGIN = Plugin(
    kind="transform",
    summary="Make fields of fields into fields of the record.",
    config=FlattenConfig,
    build=build,
    example="flatten: {separator: _, depth: 3}",
)
