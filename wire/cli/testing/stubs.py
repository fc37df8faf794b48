"""A pipeline's transforms as a case wants them: at its time, with its answers to what they look up."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from wire.cli.testing.cases import Case, blaming
from wire.cli.testing.tables import read_table
from wire.core.errors import ConfigError, Finding
from wire.core.paths import child
from wire.pipelines.building import build_transform
from wire.pipelines.lint.cases import lookups_of
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.plan import PlanNode
from wire.pipelines.transforms import TransformContext

_START: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class StoppedClock:
    """A clock that stands still, except for who sleeps: for them it moves on at once."""

    def __init__(self, start: dt.datetime | None) -> None:
        """Stop at `start`, the year 2000 unless given; UTC unless it says otherwise."""
        start = start or _START
        start = start if start.tzinfo else start.replace(tzinfo=dt.UTC)
        self._start_ms = (start - _EPOCH) // _MILLISECOND
        self._slept_s = 0.0

    def now_ms(self) -> int:  # noqa: D102 (contract in Clock)
        return self._start_ms + int(self._slept_s * 1000)

    def monotonic(self) -> float:  # noqa: D102 (contract in Clock)
        return self._slept_s

    async def sleep(self, seconds: float) -> None:  # noqa: D102 (contract in Clock)
        self._slept_s += max(0.0, seconds)


def build_for(case: Case, pipeline: LoadedPipeline, clock: StoppedClock, scratch: Path) -> list[PlanNode]:
    """Make the transforms for a case; `scratch` is an empty folder that lives as long as they do.

    Raises ConfigError for what the case should say of a lookup and does not.
    """
    known = lookups_of(pipeline)
    given = {component.path: name for name in case.spec.lookups for component in known[name]}
    looking = {component.path for found in known.values() for component in found}
    nodes = []
    for transform in pipeline.transforms:
        context = TransformContext(transform.path, clock)
        if getattr(transform.config, "report", None):  # what is reported of made-up records is of no use
            transform = _with(transform, report=str(scratch / "report.json"))  # noqa: PLW2901
        if transform.path in looking:
            with blaming(case):
                transform, context = _stubbed(case, transform, context, given.get(transform.path), scratch)  # noqa: PLW2901
        nodes.append(build_transform(transform, context))
    return nodes


def _stubbed(
    case: Case, transform: Component, context: TransformContext, name: str | None, scratch: Path
) -> tuple[Component, TransformContext]:
    reads_file = transform.type == "lookup"
    if name is None:
        if reads_file:
            return transform, context
        message = f"the case does not say what {transform.path} finds"
        hint = f"add lookups: {{{transform.type}: {{key: answer}}}}; `{{}}` if it finds nothing"
        raise _mistake("config.missing", child(case.path, "lookups"), message, hint)
    where = child(child(case.path, "lookups"), name)
    table = case.spec.lookups[name]
    if not reads_file:
        return transform, TransformContext(context.path, context.clock, _answers(case, table, where))
    if isinstance(table, dict):
        raise _mistake("config.invalid", where, "a lookup finds rows", "write a list of rows, or a file of them")
    fresh = scratch / f"{len(list(scratch.iterdir()))}.jsonl"
    return _with(transform, file=str(_file_of(case, table, fresh))), context


def _with(transform: Component, **changes: str) -> Component:
    config = msgspec.structs.replace(transform.config, **changes)
    return Component(transform.name, transform.type, transform.plugin, config, transform.path)


def _file_of(case: Case, table: list[Any] | str, fresh: Path) -> Path:
    if isinstance(table, str):
        return case.beside(table)
    fresh.write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    return fresh


def _answers(case: Case, table: Any, where: str) -> Callable[[Any], Any]:
    answers = read_table(case.beside(table), where) if isinstance(table, str) else table
    if not isinstance(answers, Mapping):
        raise _mistake("config.invalid", where, "a service answers by key", "write a mapping: {key: answer}")
    return lambda key: answers.get(_text(key))


def _text(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(key, default=str)


def _mistake(code: str, path: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Finding(code=code, path=path, message=message, hint=hint)])
