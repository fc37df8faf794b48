"""What every test has: real servers by name, and an alarm when Wire blocks the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from blockbuster import BlockBuster

pytest_plugins = ["tests.services.fixtures"]

# Reading and writing local files is done in place, a batch at a time, where it mostly meets the page cache. Locks are
# how an executor is handed work.
_MAY_BLOCK = ("io.", "os.", "threading.")

_LONGEST_FIRST: Final = ("chaos", "e2e", "integration")
_TESTS: Final = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that processes which share the tests, file by file, end together."""
    items.sort(key=lambda item: _place(item.path.relative_to(_TESTS).parts[0]))


def _place(folder: str) -> int:
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    """Fail a test in which `wire` sleeps, or uses a socket or a database, on the event loop's own thread."""
    detector = BlockBuster("wire")
    for name, function in detector.functions.items():
        if not name.startswith(_MAY_BLOCK):
            function.activate()
    yield
    detector.deactivate()
