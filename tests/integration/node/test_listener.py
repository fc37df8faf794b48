"""One port: who is told apart how, who is turned away, and what a stop does to whoever is connected."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from tests.integration.node.listener_kit import (
    HTTP,
    RAFT,
    RPC,
    App,
    Port,
    browser,
    dialing_context,
    guest,
    port,
)
from tests.integration.raft.transport_kit import Pki
from tests.waiting import insist, until
from wire.core.errors import UnavailableError
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import ListenerSettings, listening
from wire.raft.transport.accepting import DoorSettings

PATIENT = ListenerSettings(door=DoorSettings(handshake_timeout_s=3600), grace_s=0.01)
HASTY = ListenerSettings(door=DoorSettings(handshake_timeout_s=0.05))


async def test_alpn_says_who_takes_a_connection(pki: Pki) -> None:
    one, two = pki.good("n1"), pki.good("n2")
    async with port(one) as here:
        said = {protocol: here.heard(protocol) for protocol in (RAFT, RPC)}
        for protocol in (RAFT, RPC):
            async with guest(here, dialing_context(one, two, protocol)) as there:
                await there.say(protocol.encode() + b".")
                await there.hear(b"heard")
        async with browser(here, dialing_context(one, None)) as there:
            assert (await there.get("/")).text == "hello"
        assert said == {RAFT: [b"wire-raft/1."], RPC: [b"wire-rpc/1."]}
        assert here.counters.accepted == {RAFT: 1, RPC: 1, HTTP: 1}


async def test_without_tls_the_first_bytes_say_it_and_come_as_they_may() -> None:
    async with port(None) as here:
        said = {protocol: here.heard(protocol) for protocol in (RAFT, RPC)}
        for pieces in ([b"wRF1one."], [b"w", b"RF", b"1two."]):
            async with guest(here, None) as there:
                for piece in pieces:
                    await there.say(piece)
                    await asyncio.sleep(0)
                await there.hear(b"heard")
        async with guest(here, None) as there:
            await there.say(b"wRP1three.")
            await there.hear(b"heard")
        async with browser(here, None) as there:
            assert (await there.get("/tls")).json() is None
        assert said == {RAFT: [b"one.", b"two."], RPC: [b"three."]}


async def test_the_application_is_told_whose_certificate_was_shown(pki: Pki) -> None:
    one = pki.good("n1")
    async with port(one) as here:
        async with browser(here, dialing_context(one, pki.good("n2"))) as there:
            told = (await there.get("/tls")).json()
        async with browser(here, dialing_context(one, None)) as there:
            nobody = (await there.get("/tls")).json()
    assert told["node_names"] == ["localhost", "n2"]
    assert told["client_cert_name"] == "CN=n2"
    assert told["client_name"] is None
    assert told["client_cert_chain"][0].startswith("-----BEGIN CERTIFICATE-----")
    assert told["tls_version"] == 0x0304
    assert nobody == {**told, "node_names": [], "client_cert_name": None, "client_cert_chain": []}


@pytest.mark.parametrize("protocols", [("h2", HTTP), ("h2",), ()], ids=["h2 or http/1.1", "h2", "none"])
async def test_whoever_names_no_protocol_that_is_known_is_spoken_to_in_http(
    pki: Pki, protocols: tuple[str, ...]
) -> None:
    one = pki.good("n1")
    async with port(one) as here, guest(here, dialing_context(one, None, *protocols)) as there:
        await there.say(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await there.hear(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("files", "reason"),
    [("foreign", "unable to get local issuer certificate"), ("expired", "certificate has expired")],
)
@pytest.mark.parametrize("protocol", [RAFT, RPC, HTTP])
async def test_a_certificate_that_proves_nothing_ends_at_the_handshake(
    pki: Pki, files: str, reason: str, protocol: str
) -> None:
    one = pki.good("n1")
    async with port(one) as here:
        said = here.heard(RAFT), here.heard(RPC)
        with capture_logs() as logs:
            try:
                async with guest(here, dialing_context(one, getattr(pki, files)("n2"), protocol)) as there:
                    await there.say(b"hello.")
                    await there.rest()
            except OSError:
                pass
            await until(lambda: here.counters.refused == {"node.tls": 1})
        assert [(line["event"], line["reason"]) for line in logs] == [("connection_refused", reason)]
        assert said == ([], [])
        assert here.app.asked == []


async def test_old_tls_is_not_spoken(pki: Pki) -> None:
    one = pki.good("n1")
    old = dialing_context(one, None)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with port(one) as here:
        with pytest.raises(OSError):  # noqa: PT011 (an SSLError, or its consequence)
            async with guest(here, old):
                pass
        await until(lambda: here.counters.refused == {"node.tls": 1})


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nhost: here\r\n\r\n", b"\0" * 100, b"wRF1hello", b"\x16\x03\x01\0\x05junk!"]
)
async def test_garbage_instead_of_a_handshake_is_counted_and_harms_nobody(pki: Pki, data: bytes) -> None:
    one = pki.good("n1")
    async with port(one, settings=PATIENT) as here, browser(here, dialing_context(one, None)) as there:
        await there.get("/")
        async with guest(here, None) as stranger:
            await stranger.say(data)
            await stranger.rest()
        await until(lambda: here.counters.refused == {"node.tls": 1})
        assert (await there.get("/")).text == "hello"


@pytest.mark.parametrize("secure", [True, False])
async def test_who_says_nothing_is_given_up(pki: Pki, secure: bool) -> None:
    async with port(pki.good("n1") if secure else None, settings=HASTY) as here, guest(here, None) as mute:
        assert await mute.rest() == b""
        await until(lambda: here.counters.refused == {"node.handshake": 1})


async def test_who_hangs_up_in_a_handshake_is_not_said_to_have_been_silent(pki: Pki) -> None:
    with capture_logs() as lines:
        async with port(pki.good("n1"), settings=PATIENT) as here:
            async with guest(here, None) as hasty:
                await hasty.say(b"\x16\x03\x01")
            await until(lambda: here.counters.refused == {"node.handshake": 1})
    assert [line["reason"] for line in lines if line["event"] == "connection_refused"] == ["the other side hung up"]


async def test_of_too_many_handshakes_the_one_that_takes_longest_makes_room(pki: Pki) -> None:
    one = pki.good("n1")
    few = ListenerSettings(door=DoorSettings(handshake_timeout_s=3600, max_handshakes=3), grace_s=0.01)
    async with port(one, settings=few) as here, AsyncExitStack() as stack:
        mute = [await stack.enter_async_context(guest(here, None)) for _ in range(3)]
        async with browser(here, dialing_context(one, None)) as there:
            assert (await there.get("/")).text == "hello"
        assert await mute[0].rest() == b""
        assert here.counters.refused == {"node.busy": 1}
        assert not any(each.reader.at_eof() for each in mute[1:])


async def test_a_protocol_that_nobody_takes_yet_is_closed(pki: Pki) -> None:
    one = pki.good("n1")
    async with port(one) as here, guest(here, dialing_context(one, pki.good("n2"), RAFT)) as there:
        assert await there.rest() == b""
        assert here.counters.refused == {"node.not_ready": 1}


@pytest.mark.parametrize("protocol", [RAFT, RPC])
async def test_between_nodes_a_certificate_is_needed(pki: Pki, protocol: str) -> None:
    one = pki.good("n1")
    async with port(one) as here:
        said = here.heard(protocol)
        async with guest(here, dialing_context(one, None, protocol)) as there:
            await there.say(b"hello.")
            assert await there.rest() == b""
        assert here.counters.refused == {"node.no_certificate": 1}
        assert said == []


async def test_no_more_nodes_are_connected_than_allowed() -> None:
    async with port(None, settings=ListenerSettings(max_streams=2)) as here, AsyncExitStack() as stack:
        here.heard(RPC)
        for _ in range(2):
            there = await stack.enter_async_context(guest(here, None))
            await there.say(b"wRP1hello.")
            await there.hear(b"heard")
        async with guest(here, None) as late:
            await late.say(b"wRP1hello.")
            assert await late.rest() == b""
        assert here.counters.refused == {"node.busy": 1}
        there.writer.close()
        await insist(lambda: _is_heard(here), on=Exception)  # refused, in whichever way the system says it


async def _is_heard(here: Port) -> None:
    async with guest(here, None) as there:
        await there.say(b"wRP1hello.")
        await there.hear(b"heard")


async def test_a_fault_of_one_connection_is_logged_and_harms_no_other(pki: Pki) -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise RuntimeError("on purpose")

    async with port(None) as here, browser(here, None) as there:
        here.listener.hear(RPC, fail)
        with capture_logs() as logs:
            async with guest(here, None) as unlucky:
                await unlucky.say(b"wRP1")
                await unlucky.rest()
        assert [line["event"] for line in logs] == ["connection_failed"]
        assert (await there.get("/")).text == "hello"


async def test_a_stop_answers_what_is_under_way_and_cuts_off_everybody_else(pki: Pki) -> None:
    one = pki.good("n1")
    async with AsyncExitStack() as stack:
        async with port(one, settings=ListenerSettings(door=PATIENT.door, grace_s=3600)) as here:
            here.heard(RAFT)
            half_done = await stack.enter_async_context(guest(here, None))
            member = await stack.enter_async_context(guest(here, dialing_context(one, pki.good("n2"), RAFT)))
            await member.say(b"hello.")
            await member.hear(b"heard")
            idle = await stack.enter_async_context(guest(here, dialing_context(one, None)))
            busy = await stack.enter_async_context(browser(here, dialing_context(one, None)))
            answer = asyncio.get_running_loop().create_task(busy.get("/wait"))
            await until(lambda: here.app.asked == ["/wait"])
            asyncio.get_running_loop().call_later(0.05, here.app.let_go.set)
        assert (await answer).text == "hello"
        for each in (half_done, member, idle):
            assert await each.rest() == b""
        with pytest.raises(OSError):  # noqa: PT011 (whichever way the system says that nobody listens)
            await asyncio.open_connection(here.host, here.number)


async def test_a_stop_does_not_wait_for_a_request_longer_than_its_grace() -> None:
    async with AsyncExitStack() as stack:
        async with port(None, settings=PATIENT) as here:
            there = await stack.enter_async_context(guest(here, None))
            await there.say(b"GET /wait HTTP/1.1\r\nhost: here\r\n\r\n")
            await until(lambda: here.app.asked == ["/wait"])
        assert here.app.cancelled == 1
        assert await there.rest() == b""


async def test_who_comes_while_no_more_files_may_be_open_is_let_in_later() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with port(None) as here:
        with socket.socket() as there:
            there.setblocking(False)
            lowest = os.dup(there.fileno())
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
            try:
                await asyncio.get_running_loop().sock_connect(there, (here.host, here.number))
                await until(lambda: here.counters.refused == {"node.busy": 1})
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            await asyncio.get_running_loop().sock_sendall(there, b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
            await until(lambda: here.app.asked == ["/"])


async def test_an_address_in_use_is_named_with_a_way_out() -> None:
    async with port(None) as here:
        with pytest.raises(UnavailableError) as failure:
            async with port(None, address=f"127.0.0.1:{here.number}"):
                pass
    assert failure.value.code == "node.address_in_use"
    assert failure.value.message == f"127.0.0.1:{here.number} is in use by another process"
    assert failure.value.hint is not None
    assert "--listen" in failure.value.hint


@pytest.mark.parametrize("address", ["nowhere", "", "127.0.0.1:99999", "192.0.2.1:0", "no such host:1", "[::1:0"])
async def test_an_address_that_is_none_of_this_machine_is_refused(address: str) -> None:
    with pytest.raises(UnavailableError) as failure:
        async with listening(address, HttpServer(App()), tls=None, insecure=True):
            pass
    assert failure.value.code == "node.address"
    assert address in failure.value.message


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0"])
async def test_in_the_clear_nobody_listens_where_other_machines_reach_unless_told_so(address: str) -> None:
    with pytest.raises(UnavailableError) as failure:
        async with port(None, address=address):
            pass
    assert failure.value.code == "node.unencrypted"
    async with port(None, address="0.0.0.0:0", insecure=True) as here:
        here.host = "127.0.0.1"
        async with browser(here, None) as there:
            assert (await there.get("/")).text == "hello"


async def test_loopback_by_name_is_loopback() -> None:
    async with port(None, address="localhost:0") as here:
        assert here.listener.addresses[0].startswith(("127.0.0.1:", "[::1]:"))
