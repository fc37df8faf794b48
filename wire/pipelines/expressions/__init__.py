"""The expression language: SQL with DuckDB's semantics, compiled to Python source.

`parse` and `parse_select` read text (sqlglot's DuckDB grammar) into a tree of our own in which only what is listed
exists; `emit` and `emit_predicate` write its Python source into a `Scope`, so that a planner fuses all expressions of a
pipeline into one function. The operators and functions are declared in tables (`operators`, `functions`), from which
checks, code and the reference page are made.

Invariant I10: no text reaches Python. What a user writes becomes nodes; nodes become source that holds only our own
helpers, local names and literals; patterns run on RE2; lengths, depths and sizes are bounded.
"""

from wire.pipelines.expressions.compiled import compile_expression, emit, emit_predicate
from wire.pipelines.expressions.errors import ExpressionError
from wire.pipelines.expressions.parser import Parsed, SelectItem, parse, parse_select
from wire.pipelines.expressions.scope import FunctionScope, Scope

__all__ = [
    "ExpressionError",
    "FunctionScope",
    "Parsed",
    "Scope",
    "SelectItem",
    "compile_expression",
    "emit",
    "emit_predicate",
    "parse",
    "parse_select",
]
