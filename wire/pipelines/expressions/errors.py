"""What goes wrong with an expression: when it is read, or with one record while it runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from wire.core.errors import RecordError, WireError

_HINTS: Final = {
    "expression.domain": "leave such values out with CASE WHEN … THEN … END",
    "expression.duplicate_name": "give one of them another name with AS, or take it away",
    "expression.not_allowed": "compute it from the fields of one record; conditions are joined with AND and OR",
    "expression.overflow": "compute it as DOUBLE: CAST(x AS DOUBLE)",
    "expression.syntax": "it is SQL as DuckDB reads it, such as amount > 100 AND name IS NOT NULL",
    "expression.too_complex": "split it: compute a part in an earlier select",
    "expression.unknown_function": "its functions are those of DuckDB over one record; text goes in single quotes",
    "expression.unknown_type": "its types are BOOLEAN, BIGINT, DOUBLE, DECIMAL, VARCHAR, DATE, TIMESTAMP and others",
    "expression.wrong_arguments": "correct the arguments, or change a value's type with CAST(x AS type)",
}
"""What to do where nothing more exact is known."""


class ExpressionError(WireError):
    """The text is not an expression Wire can run.

    `line` and `column` count from 1 and point at the first character of the fault within the expression's own text.
    """

    exit_code = 2

    def __init__(self, code: str, message: str, *, text: str, at: int, hint: str | None = None) -> None:
        """Make an error about `text`; `at` is the offset of the fault in it, in characters from 0."""
        super().__init__(code, message, hint=hint or _HINTS.get(code))
        before = text[: max(0, at)]
        self.line = before.count("\n") + 1
        self.column = len(before) - (before.rfind("\n") + 1) + 1


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the closest known name, if one is close."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"did you mean {close[0]}?" if close else None


def mismatch(what: str, found: str, *, hint: str | None = None) -> RecordError:
    """Return the failure for a value of the wrong type: `what` can't be applied to `found`."""
    return RecordError("expression.type_mismatch", f"{what} can't be applied to {found}", hint=hint)


def overflow(what: str) -> RecordError:
    """Return the failure for a result that does not fit its type."""
    return RecordError("expression.overflow", f"{what} is out of range")


def domain(message: str) -> RecordError:
    """Return the failure for an argument outside what the function is defined for."""
    return RecordError("expression.domain", message)


def cast_failed(value: object, target: str) -> RecordError:
    """Return the failure for a value that can't become a `target`. The value is shown, shortened."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return RecordError("expression.cast", f"could not convert {shown} to {target}", hint="TRY_CAST gives NULL instead")
