"""The log on standard error, a line per event: of the engine on a terminal, and of a node."""

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


def log_of_a_node(level: str, form: str) -> None:
    """Send what a node has to say, from `level` on, to standard error: as text, JSON, or `auto`, which looks there."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _timed_line if text else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
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


def _timed_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    return f"{event.pop('timestamp')} {_line(logger, method, event)}"
