"""Source of expressions, and the convenience of a ready function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wire.pipelines.expressions.codegen import Emitter
from wire.pipelines.expressions.parser import Parsed, parse
from wire.pipelines.expressions.scope import FunctionScope, Scope


def emit(parsed: Parsed, scope: Scope) -> str:
    """Return a Python expression for the value of `parsed` in `scope`, None for NULL.

    Evaluating it may assign locals of `scope`, and raises RecordError where the record can't be computed.
    """
    return Emitter(scope).value(parsed.node)


def emit_predicate(parsed: Parsed, scope: Scope) -> str:
    """Return a Python expression that is truthy only where `parsed` is TRUE: not for FALSE, not for NULL."""
    return Emitter(scope).truth(parsed.node)


def compile_expression(text: str) -> Callable[[Mapping[str, object]], Any]:
    """Return a function of a record's fields. Raises ExpressionError; the function raises RecordError.

    Metadata is not there: an expression that reads it fails with a NameError. The planner's own scope has it.
    """
    scope = FunctionScope("record")
    source = emit(parse(text), scope)
    namespace: dict[str, Any] = {**scope.constants}
    exec(compile(f"def evaluate(record):\n    return {source}\n", "<expression>", "exec"), namespace)  # noqa: S102 (I10: our own source)
    function: Callable[[Mapping[str, object]], Any] = namespace["evaluate"]
    return function
