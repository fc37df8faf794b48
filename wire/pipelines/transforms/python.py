"""`python: "my_module:my_function"`: anything else, as a Python function over a list of records.

The function is called with a list of dicts, the decoded records of one batch, and returns a list of the same length and
order: for each record a mapping, which may be the same dict changed, or None to drop it. It is an ordinary function,
not `async`, and the pipeline waits for it. Where it raises, it is called again for each record alone, with values as
they were, so that only those fail for which it raises again; a RecordError it raises is kept, any other error becomes
`transform.python.failed`. Tombstones are not shown to it. Modules are found as Python finds them, and in the working
directory.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from wire.core.errors import RecordError
from wire.core.permissions import LOCAL_FUNCTION
from wire.core.plugins import Plugin
from wire.pipelines.plan.builder import Arrived, Builder, Failures, Values
from wire.pipelines.transforms.context import TransformContext

Function = Callable[[list[dict[str, Any]]], Any]

_RAISED: Final = (Exception, SystemExit, asyncio.CancelledError)
"""What is the function's own; nothing cancels it, for it doesn't wait, and its task must not look cancelled."""


@dataclass(frozen=True, slots=True)
class Python:
    """Applies a function, imported when the pipeline is compiled."""

    name: str
    context: TransformContext

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        builder.apply(functools.partial(apply, self._function()))

    def _function(self) -> Function:
        module_name, _, function_name = self.name.partition(":")
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # last, so that it hides nothing that is installed
        try:
            module = importlib.import_module(module_name)
        except Exception as exc:  # whatever the user's module does when imported
            message = f"the module `{module_name}` can't be imported: {type(exc).__name__}: {exc}"
            raise self.context.mistake(message, "it must be importable from the working directory") from exc
        function = getattr(module, function_name, None)
        if not callable(function):
            raise self.context.mistake(f"`{module_name}` has no function `{function_name}`", "write module:function")
        if inspect.iscoroutinefunction(function):
            raise self.context.mistake(
                f"`{self.name}` is async", "make it an ordinary function: `def`, not `async def`"
            )
        result: Function = function
        return result


def apply(function: Function, arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
    """Call a function with all values but tombstones; isolate the records for which it raises."""
    given = [value for value in values if value is not None]
    try:
        returned = iter(_call(function, [_copy(value) for value in given]))
    except _RAISED:  # whatever the user's function does
        return _one_by_one(function, arrived, values, failures)
    return arrived, [None if value is None else next(returned) for value in values]


def _one_by_one(function: Function, arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
    good: Arrived = []
    returned: Values = []
    for entry, value in zip(arrived, values, strict=True):
        try:
            returned.append(None if value is None else _call(function, [value])[0])
            good.append(entry)
        except RecordError as exc:
            failures.append((entry[0], exc))
        except _RAISED as exc:
            message = f"the function raised {type(exc).__name__}: {exc}"
            failures.append((entry[0], RecordError("transform.python.failed", message)))
    return good, returned


def _call(function: Function, values: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    count = len(values)
    returned = function(values)
    if not isinstance(returned, list) or len(returned) != count:
        found = f"{len(returned)} values" if isinstance(returned, list) else type(returned).__name__
        message = f"the function returned {found} for {count} records"
        raise RecordError(
            "transform.python.result", message, hint="return a list with one item per record, None to drop it"
        )
    for value in returned:
        if value is not None and not isinstance(value, Mapping):
            message = f"the function returned {type(value).__name__} for a record"
            raise RecordError("transform.python.result", message, hint="return a mapping, or None to drop the record")
    return [value if value is None or value.__class__ is dict else dict(value) for value in returned]


def _copy(value: dict[str, Any]) -> dict[str, Any]:
    return {k: copy.deepcopy(v) if v.__class__ is dict or v.__class__ is list else v for k, v in value.items()}


def build(config: str, context: TransformContext) -> Python:
    """Make the transform. The module is not imported yet."""
    module, colon, function = config.partition(":")
    if not (module and colon and function):
        raise context.mistake(f"`{config}` does not name a function", "write module:function, such as flights:clean")
    return Python(config, context)


PLUGIN = Plugin(
    kind="transform",
    summary="Apply a Python function to lists of records.",
    config=Annotated[str, LOCAL_FUNCTION],
    build=build,
    example='python: "flights:clean"',
)
