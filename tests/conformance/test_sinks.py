"""Every installed sink passes the conformance checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.conformance.cases import of_the_installed, of_the_kit
from tests.conformance.elasticsearch_sink import ELASTICSEARCH_SINKS
from tests.conformance.file_sink import FILE_SINKS
from tests.conformance.http_sink import HTTP_SINKS
from tests.conformance.kafka_sink import KAFKA_SINKS
from tests.conformance.memory import MemorySinkHarness, MemoryTransactionalSinkHarness
from tests.conformance.mongodb_sink import MONGODB_SINKS
from tests.conformance.small_sinks import Drop, Stdout, StdoutText
from wire.core import plugins
from wire.testing.harness import SinkHarness
from wire.testing.sinks import SinkCheck, sink_checks

HARNESSES: dict[str, Sequence[Any]] = {
    "drop": (Drop,),
    "elasticsearch": ELASTICSEARCH_SINKS,
    "file": FILE_SINKS,
    "http": HTTP_SINKS,
    "kafka": KAFKA_SINKS,
    "mongodb": MONGODB_SINKS,
    "stdout": (Stdout, StdoutText),
}
"""By entry point, classes made with the pytest request."""


@pytest.mark.parametrize(("harness", "check"), of_the_installed(HARNESSES, sink_checks), indirect=["harness"])
async def test_installed_sink(harness: SinkHarness, check: SinkCheck) -> None:
    await check(harness)


@pytest.mark.parametrize(
    ("harness", "check"), of_the_kit((MemorySinkHarness, MemoryTransactionalSinkHarness), sink_checks)
)
async def test_memory_sink(harness: type[SinkHarness], check: SinkCheck) -> None:
    await check(harness())


def test_no_installed_sink_is_left_out() -> None:
    assert set(plugins.names("sink")) == HARNESSES.keys()
