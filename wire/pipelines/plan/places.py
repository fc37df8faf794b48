"""Which part of the pipeline each line of a compiled stage was written for, told by comments between the lines.

A record that fails is so traced back to its transform or sink without any work for those that don't.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Final

from wire.core.errors import WireError
from wire.pipelines.located import located
from wire.pipelines.plan.failures import failure

_MARK: Final = "# for "


def mark(path: str) -> str:
    """Return the statement behind which everything is written for the part of the pipeline at `path`."""
    return f"{_MARK}{path}"


def failing_where(source: str, start: str) -> Callable[[Exception], WireError]:
    """Return `failure` for a function with this source, which gives errors a path; `start` is that of what is decoded.

    To be called in the function's own `except` clauses.
    """
    marked = [(0, start)]
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith(_MARK):
            marked.append((number, line.partition(_MARK)[2]))
    numbers = [number for number, _ in marked]

    def path_of(exc: Exception) -> str:
        line = exc.__traceback__.tb_lineno if exc.__traceback__ else 0
        return marked[bisect.bisect(numbers, line) - 1][1]

    def located_failure(exc: Exception) -> WireError:
        path = path_of(exc)
        with located(path):
            error = failure(exc)
        decoding = error.code in ("record.decode", "record.not_an_object")  # done where a field is first needed
        error.path = error.path or (start if decoding else path)
        return error

    return located_failure
