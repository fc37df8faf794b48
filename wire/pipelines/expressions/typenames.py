"""SQL type names in CAST, and what casts them."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from wire.pipelines.expressions.casts import SIMPLE, Cast, decimal_cast, list_cast
from wire.pipelines.expressions.operators import CASTS, TRY_CASTS, cast_to, try_cast_to
from wire.pipelines.expressions.tree import Function

_NAMES: Final = {
    "INT": "INTEGER",
    "INT128": "HUGEINT",
    "UINT": "UINTEGER",
    "TEXT": "VARCHAR",
    "CHAR": "VARCHAR",
    "TIMESTAMPNTZ": "TIMESTAMP",
    "VARBINARY": "BLOB",
    **{name: name for name in SIMPLE},
}
KNOWN: Final = tuple(sorted({*SIMPLE, "DECIMAL"}))


def cast_function(to: exp.Expr, *, lenient: bool) -> Function | None:
    """Return CAST (or with `lenient` TRY_CAST) to a parsed type, None if Wire has no such type."""
    name = target_name(to)
    if name in SIMPLE:
        return (TRY_CASTS if lenient else CASTS)[name]
    cast = _cast(to)
    if cast is None:
        return None
    kind = "LIST" if to.this.name == "ARRAY" else "DECIMAL"
    return (try_cast_to if lenient else cast_to)(kind, cast)


def target_name(to: exp.Expr) -> str:
    """Return the name of a parsed type without its parameters, as the user may have written it."""
    if isinstance(to, exp.Interval):
        return "INTERVAL"
    if not isinstance(to, exp.DataType):
        return to.sql(dialect="duckdb")
    name = to.this.name if isinstance(to.this, exp.DType) else "INTERVAL"
    return _NAMES.get(name) or str(to.args.get("kind") or name)


def _cast(to: exp.Expr) -> Cast | None:
    if not isinstance(to, exp.DataType) or not isinstance(to.this, exp.DType):
        return SIMPLE.get(target_name(to))
    match to.this.name:
        case "DECIMAL":
            sizes = [int(param.name) for param in to.expressions if param.name.isdigit()]
            precision, scale = sizes if len(sizes) == 2 else (*sizes, 0) if sizes else (18, 3)
            return decimal_cast(precision, scale) if 0 <= scale <= precision <= 38 else None
        case "ARRAY" if len(to.expressions) == 1 and not to.args.get("values"):
            item = _cast(to.expressions[0])
            return list_cast(item, f"{target_name(to.expressions[0])}[]") if item else None
        case _:
            return SIMPLE.get(target_name(to))
