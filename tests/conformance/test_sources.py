"""Every installed source passes the conformance checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.conformance.cases import of_the_installed, of_the_kit
from tests.conformance.elasticsearch_source import ELASTICSEARCH_SOURCES
from tests.conformance.file_source import FILE_SOURCES
from tests.conformance.http_source import HTTP_SOURCES
from tests.conformance.kafka_source import Kafka
from tests.conformance.memory import GappyMemorySourceHarness, MemorySourceHarness
from tests.conformance.mongodb_source import MONGODB_SOURCES
from tests.conformance.small_sources import Generate, GenerateAtARate, Stdin, StdinCsv
from wire.core import plugins
from wire.testing.harness import SourceHarness
from wire.testing.sources import SourceCheck, source_checks

HARNESSES: dict[str, Sequence[Any]] = {
    "elasticsearch": ELASTICSEARCH_SOURCES,
    "file": FILE_SOURCES,
    "generate": (Generate, GenerateAtARate),
    "http": HTTP_SOURCES,
    "kafka": (Kafka,),
    "mongodb": MONGODB_SOURCES,
    "stdin": (Stdin, StdinCsv),
}
"""By entry point, classes made with the pytest request."""


@pytest.mark.parametrize(("harness", "check"), of_the_installed(HARNESSES, source_checks), indirect=["harness"])
async def test_installed_source(harness: SourceHarness, check: SourceCheck) -> None:
    await check(harness)


@pytest.mark.parametrize(
    ("harness", "check"), of_the_kit((MemorySourceHarness, GappyMemorySourceHarness), source_checks)
)
async def test_memory_source(harness: type[MemorySourceHarness], check: SourceCheck) -> None:
    await check(harness())


def test_no_installed_source_is_left_out() -> None:
    assert set(plugins.names("source")) == HARNESSES.keys()
