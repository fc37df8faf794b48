"""The engine's log on a terminal: one line per event on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def log_to_stderr() -> None:
    """Send warnings and errors of the engine, and of the libraries it uses, to standard error."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, _line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(_CurrentStderr()),  # type: ignore[arg-type] # it only writes
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.CRITICAL, format="%(levelname)s: %(name)s: %(message)s")  # Wire says it itself


class _CurrentStderr:
    """Whatever standard error is when something is written: the live view puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    level, name = event.pop("level"), event.pop("event")
    fields = "  ".join(f"{key}={value}" for key, value in event.items() if value is not None)
    return f"{level}: {str(name).replace('_', ' ')}  {fields}".rstrip()
