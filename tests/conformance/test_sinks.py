"""Every installed sink passes the conformance checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.conformance.file_sink import FILE_SINKS
from tests.conformance.kafka_sink import KAFKA_SINKS
from tests.conformance.memory import MemorySinkHarness, MemoryTransactionalSinkHarness
from tests.conformance.small_sinks import Drop, Stdout, StdoutText
from wire.core import plugins
from wire.testing.harness import SinkHarness
from wire.testing.sinks import SinkCheck, sink_checks

HARNESSES: dict[str, Sequence[Any]] = {
    "drop": (Drop,),
    "file": FILE_SINKS,
    "kafka": KAFKA_SINKS,
    "stdout": (Stdout, StdoutText),
}
"""By entry point, classes made with the pytest request."""

INSTALLED = [
    pytest.param(harness, check, id=f"{name}-{harness.__name__}-{check.__name__}", marks=marks)
    for name, harnesses in HARNESSES.items()
    for marks in [[pytest.mark.kafka] if name == "kafka" else []]
    for harness in harnesses
    for check in sink_checks(harness)
]
KIT = [
    pytest.param(harness, check, id=f"{harness.__name__}-{check.__name__}")
    for harness in (MemorySinkHarness, MemoryTransactionalSinkHarness)
    for check in sink_checks(harness)
]


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> SinkHarness:
    made: SinkHarness = request.param(request)  # outside the event loop, as fixtures that start servers need it
    return made


@pytest.mark.parametrize(("harness", "check"), INSTALLED, indirect=["harness"])
async def test_installed_sink(harness: SinkHarness, check: SinkCheck) -> None:
    await check(harness)


@pytest.mark.parametrize(("harness", "check"), KIT)
async def test_memory_sink(harness: type[SinkHarness], check: SinkCheck) -> None:
    await check(harness())


def test_no_installed_sink_is_left_out() -> None:
    assert set(plugins.names("sink")) == HARNESSES.keys()
