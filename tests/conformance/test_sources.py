"""Every installed source passes the conformance checks."""

from __future__ import annotations

import pytest

from tests.conformance.memory import GappyMemorySourceHarness, MemorySourceHarness
from wire.testing.harness import SourceHarness
from wire.testing.sources import SourceCheck, source_checks

KIT = [
    pytest.param(harness(), check, id=f"{harness.__name__}-{check.__name__}")
    for harness in (MemorySourceHarness, GappyMemorySourceHarness)
    for check in source_checks(harness)
]


@pytest.mark.parametrize(("harness", "check"), KIT)
async def test_memory_source(harness: SourceHarness, check: SourceCheck) -> None:
    await check(harness)
