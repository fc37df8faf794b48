"""The log of a process of the cluster: one JSON object per line on standard error."""

from __future__ import annotations

import logging
import sys

import structlog

from wire.worker.discretion import Discretion


def log_json(discretion: Discretion) -> None:
    """Send what the engine, and the libraries it uses, have to say to standard error, without secrets.

    What is bound in the context (node, worker, pipeline, job, slot, epoch) goes with it.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            discretion,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.CRITICAL, format="%(levelname)s: %(name)s: %(message)s")  # Wire says it itself
