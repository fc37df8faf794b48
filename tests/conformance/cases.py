"""The cases of the conformance checks: every harness of every connector with every check that fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

HarnessClass = Callable[..., Any]
_SERVED = ("elasticsearch", "kafka", "mongodb")
"""Entry points that need a server, each with a marker of its own."""

ChecksOf = Callable[[Any], Sequence[Callable[..., Any]]]


def of_the_installed(harnesses: Mapping[str, Sequence[HarnessClass]], checks_of: ChecksOf) -> list[Any]:
    """The cases of installed connectors, by entry point; their harnesses are made by the `harness` fixture."""
    return [
        pytest.param(
            *case.values, id=f"{name}-{case.id}", marks=[getattr(pytest.mark, name)] if name in _SERVED else []
        )
        for name, its in harnesses.items()
        for case in of_the_kit(its, checks_of)
    ]


def of_the_kit(harnesses: Iterable[HarnessClass], checks_of: ChecksOf) -> list[Any]:
    """The cases of connectors that are nobody's but the tests'."""
    return [
        pytest.param(harness, check, id=f"{harness.__name__}-{check.__name__}")
        for harness in harnesses
        for check in checks_of(harness)
    ]
