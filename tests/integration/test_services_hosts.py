"""Hosts whose cables are pulled, or who are not heard."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.services.hosts import Hosts, hosts

_PORT = 4001


class Pair:
    """A connection between two hosts."""

    def __init__(self, network: Hosts, a: socket.socket, b: socket.socket) -> None:
        self.network, self.a, self.b = network, a, b


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()
    with hosts("ab") as network, network.socket("a") as listening, network.socket("b") as b:
        listening.bind((network.addresses["a"], _PORT))
        listening.listen()
        await loop.sock_connect(b, (network.addresses["a"], _PORT))
        a, _ = await loop.sock_accept(listening)
        with a:
            yield Pair(network, a, b)


async def arrives(sender: socket.socket, receiver: socket.socket, what: bytes) -> bool:
    """Send something, and say whether it is there soon."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sender, what)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            return await loop.sock_recv(receiver, len(what)) == what
    return False


async def test_a_host_that_is_muted_hears_and_is_not_heard(pair: Pair) -> None:
    assert await arrives(pair.a, pair.b, b"1")
    pair.network.mute("a", "b")
    assert await arrives(pair.b, pair.a, b"2")
    assert not await arrives(pair.a, pair.b, b"3")
    pair.network.unmute("a", "b")
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(pair.b, 1), 30) == b"3"


async def test_a_host_whose_cable_is_pulled_neither_hears_nor_is_heard(pair: Pair) -> None:
    pair.network.pull("a")
    assert not await arrives(pair.b, pair.a, b"1")
    assert not await arrives(pair.a, pair.b, b"2")
    pair.network.plug("a")
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(pair.b, 1), 30) == b"2"
