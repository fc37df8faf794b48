"""Every installed sink passes the conformance checks."""

from __future__ import annotations

import pytest

from tests.conformance.memory import MemorySinkHarness, MemoryTransactionalSinkHarness
from wire.testing.harness import SinkHarness
from wire.testing.sinks import SinkCheck, sink_checks

KIT = [
    pytest.param(harness(), check, id=f"{harness.__name__}-{check.__name__}")
    for harness in (MemorySinkHarness, MemoryTransactionalSinkHarness)
    for check in sink_checks(harness)
]


@pytest.mark.parametrize(("harness", "check"), KIT)
async def test_memory_sink(harness: SinkHarness, check: SinkCheck) -> None:
    await check(harness)
