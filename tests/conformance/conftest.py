"""What the conformance checks of installed sources and sinks have in common."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Any:
    """A harness of the class that the case names, made outside the event loop: fixtures that start servers need it."""
    return request.param(request)
