"""Where a component stands in the pipeline's file, for the errors that come out of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from wire.core.errors import WireError


@contextlib.contextmanager
def located(path: str) -> Iterator[None]:
    """Let errors of the component at `path` say so; an error that already says where is left as it is."""
    try:
        yield
    except WireError as exc:
        exc.path = exc.path or path
        raise
