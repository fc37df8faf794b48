"""Connections that end while somebody is about to take them over: who they were from is still known."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.raft.transport_kit import Pki
from tests.waiting import until
from wire.raft.transport.accepting import Arrival, Door, Trouble
from wire.raft.transport.connection import Connection
from wire.raft.transport.tls import client_context, server_context


@asynccontextmanager
async def arrived(pki: Pki, said: bytes) -> AsyncIterator[Arrival]:
    """Somebody who has shown a certificate and said something."""
    arrivals: asyncio.Queue[Arrival] = asyncio.Queue()

    async def welcome(arrival: Arrival) -> None:
        arrivals.put_nowait(arrival)
        await asyncio.Event().wait()

    def turned_away(remote: str, trouble: Trouble, reason: str) -> None:
        raise AssertionError(remote, trouble, reason)

    context = server_context(pki.good("n1"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with Door(welcome, turned_away, tls=lambda: context, preambles={}) as door:
            door.answer(server)
            _, writer = await asyncio.open_connection(*server.getsockname(), ssl=client_context(pki.good("n2")))
            writer.write(said)
            arrival = await asyncio.wait_for(arrivals.get(), 30)
            await until(lambda: bytes(arrival._heard) == said)
            yield arrival
            writer.close()


async def test_a_connection_that_is_closing_can_be_taken_over_and_says_whose_it_was(pki: Pki) -> None:
    async with arrived(pki, b"hello") as arrival:
        arrival.eof_received()
        arrival.transport.close()  # as TLS does when the other side is gone, a moment before it says so
        connection = Connection(*arrival.as_stream(), write_timeout_s=1.0)
        assert await connection.read_exactly(5) == b"hello"
        assert "n2" in (connection.certificate_names or ())
        assert connection.is_secure
        await connection.close()


async def test_a_connection_that_was_closed_twice_says_whose_it_was(pki: Pki) -> None:
    async with arrived(pki, b"hello") as arrival:
        connection = Connection(*arrival.as_stream(), write_timeout_s=1.0)
        for _ in range(2):
            await connection.close()
            assert "n2" in (connection.certificate_names or ())
            assert connection.remote == arrival.remote
