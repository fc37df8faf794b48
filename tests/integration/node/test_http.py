"""HTTP on the node's port: what a client may expect, and how long one that stalls is waited for."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from tests.integration.node.listener_kit import Guest, browser, dialing_context, guest, port
from tests.integration.raft.transport_kit import Pki
from tests.waiting import until
from wire.node.listener.http import HttpSettings

GET = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
IMPATIENT = HttpSettings(head_timeout_s=0.2, idle_timeout_s=3600)
LESS_SO = HttpSettings(head_timeout_s=3, idle_timeout_s=3600)  # long enough for what has to come in time


@pytest.fixture(params=["TLS", "in the clear"])
def secure(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "TLS")


async def test_a_connection_is_kept_for_the_next_request(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    async with port(one) as here, browser(here, one and dialing_context(one, None)) as there:
        for _ in range(5):
            answer = await there.get("/")
            assert answer.text == "hello"
            assert "date" in answer.headers
            assert "server" not in answer.headers
        assert here.http.connections == 1
        assert (await there.get("/", headers={"connection": "close"})).text == "hello"
        await until(lambda: here.http.connections == 0)


async def test_requests_that_come_together_are_answered_one_after_the_other(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    async with port(one) as here, guest(here, one and dialing_context(one, None)) as there:
        await there.say(GET * 50)
        for _ in range(50):
            assert (await there.hear(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert here.app.asked == ["/"] * 50


async def test_large_bodies_go_both_ways(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    body = bytes(range(256)) * 40_000
    async with port(one) as here, browser(here, one and dialing_context(one, None)) as there:
        assert (await there.post("/echo", content=body)).content == body
        assert len((await there.get("/big")).content) == 1 << 24
        assert (await there.post("/echo", content=body)).content == body


async def test_a_body_that_came_with_the_first_bytes_is_not_lost(pki: Pki) -> None:
    body = b"x" * 300_000
    async with port(None) as here, guest(here, None) as there:
        await there.say(b"POST /echo HTTP/1.1\r\nhost: here\r\ncontent-length: 300000\r\n\r\n" + body)
        answer = await there.hear(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        async with asyncio.timeout(60):
            assert await there.reader.readexactly(len(body)) == body


async def test_garbage_is_answered_with_400(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    async with port(one) as here, guest(here, one and dialing_context(one, None)) as there:
        await there.say(b"\x16\x03\x01 what is this\r\n\r\n")
        assert (await there.rest()).startswith(b"HTTP/1.1 400 ")
        await until(lambda: here.http.connections == 0)


async def test_a_head_that_is_too_long_is_answered_with_400() -> None:
    async with port(None, http=HttpSettings(max_head_bytes=1000)) as here, guest(here, None) as there:
        await there.say(b"GET / HTTP/1.1\r\nx: " + b"y" * 2000)
        assert (await there.rest()).startswith(b"HTTP/1.1 400 ")


async def test_an_application_that_fails_is_answered_with_500_and_the_node_lives() -> None:
    async with port(None) as here, browser(here, None) as there:
        assert (await there.get("/broken")).status_code == 500
        assert (await there.get("/")).text == "hello"


@pytest.mark.parametrize("pieces", [[], [b"GET / HT"], [GET, b"GET "], [GET, GET, b"\r\n"]])
async def test_a_head_that_does_not_end_is_not_waited_for(pki: Pki, secure: bool, pieces: list[bytes]) -> None:
    one = pki.good("n1") if secure else None
    async with port(one, http=IMPATIENT) as here, guest(here, one and dialing_context(one, None)) as there:
        if not secure and not pieces:
            await there.say(b"G")  # it is known only then that it is HTTP
        with suppress(OSError, RuntimeError):  # a slow machine may have said too little when the limit is over
            for piece in pieces:
                await there.say(piece)
        assert (await there.rest()).count(b"hello") <= pieces.count(GET)
        await until(lambda: here.http.connections == 0)


async def test_a_head_in_drops_is_waited_for_no_longer_than_one_in_a_piece() -> None:
    async with port(None, http=LESS_SO) as here, guest(here, None) as there:
        await there.say(GET + b"GET / HTTP/1.1\r\n")
        await there.hear(b"hello")
        await until(lambda: _drips(there))


def _drips(there: Guest) -> bool:
    """Say whether the other side has closed, and a little more if it has not."""
    if there.writer.is_closing() or there.reader.at_eof() or there.reader.exception() is not None:
        return True
    there.writer.write(b"x: y\r\n")
    return False


async def test_an_idle_connection_is_closed_after_a_while(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    brief = HttpSettings(head_timeout_s=3600, idle_timeout_s=0.05)
    async with port(one, http=brief) as here, guest(here, one and dialing_context(one, None)) as there:
        await there.say(GET)
        assert (await there.rest()).endswith(b"hello")
        await until(lambda: here.http.connections == 0)


async def test_a_request_may_take_longer_than_any_limit_of_the_connection() -> None:
    brief = HttpSettings(head_timeout_s=1, idle_timeout_s=0.05, stall_timeout_s=0.05)
    async with port(None, http=brief) as here, guest(here, None) as there:
        await there.say(b"GET /wait HTTP/1.1\r\nhost: here\r\n\r\n")
        await until(lambda: here.app.asked == ["/wait"])
        asyncio.get_running_loop().call_later(1.2, here.app.let_go.set)
        await there.hear(b"hello")


async def test_who_takes_nothing_of_an_answer_is_cut_off(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    brief = HttpSettings(stall_timeout_s=0.05, idle_timeout_s=3600)
    async with port(one, http=brief) as here, guest(here, one and dialing_context(one, None)) as there:
        there.writer.transport.pause_reading()  # type: ignore[attr-defined] # a stream's transport has it
        await there.say(b"GET /big HTTP/1.1\r\nhost: here\r\n\r\n")
        await until(lambda: here.app.asked == ["/big"])
        await until(lambda: here.http.connections == 0)


async def test_a_body_that_nobody_reads_does_not_hold_the_connection() -> None:
    async with port(None, http=LESS_SO) as here, guest(here, None) as there:
        await there.say(b"POST /unread HTTP/1.1\r\nhost: here\r\ncontent-length: 1000000\r\n\r\n" + bytes(200_000))
        assert (await there.rest()).endswith(b"not interested")
        await until(lambda: here.http.connections == 0)


async def test_many_idle_connections_do_not_keep_a_new_one_out(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    context = one and dialing_context(one, None)
    async with port(one, http=HttpSettings(max_connections=20)) as here, AsyncExitStack() as stack:
        for _ in range(60):
            there = await stack.enter_async_context(guest(here, context))
            await there.say(GET)
            await there.hear(b"hello")
        await until(lambda: here.http.connections <= 20)
        async with browser(here, context) as new:
            assert (await new.get("/")).text == "hello"


async def test_where_every_connection_is_busy_a_new_one_is_told_so() -> None:
    async with port(None, http=HttpSettings(max_connections=2)) as here, AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(guest(here, None)) for _ in range(2)]
        for each in busy:
            await each.say(b"GET /wait HTTP/1.1\r\nhost: here\r\n\r\n")
        await until(lambda: here.app.asked == ["/wait"] * 2)
        async with guest(here, None) as there:
            await there.say(GET)
            assert (await there.rest()).startswith(b"HTTP/1.1 503 ")
        here.app.let_go.set()
        for each in busy:
            await each.hear(b"hello")


async def test_who_leaves_in_the_middle_leaves_nothing_behind(pki: Pki, secure: bool) -> None:
    one = pki.good("n1") if secure else None
    async with port(one) as here:
        for said in (b"", b"GET ", GET, b"POST /echo HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\nhalf"):
            async with guest(here, one and dialing_context(one, None)) as there:
                await there.say(said)
        await until(lambda: here.http.connections == 0)
