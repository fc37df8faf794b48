"""Certificates for nodes, and both event loops: whatever is done with sockets here must work on either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from tests.integration.node.rpc_kit import Service, service
from tests.integration.raft.transport_kit import Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("nodes"))


@pytest.fixture
async def one(pki: Pki) -> AsyncIterator[Service]:
    """n1, which answers calls."""
    async with service(pki.good("n1")) as found:
        yield found


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
    try:
        import uvloop
    except ImportError:
        return loops
    return {**loops, "uvloop": uvloop.new_event_loop}
