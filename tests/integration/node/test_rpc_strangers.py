"""Who may make calls, and how whoever may not is told so."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable

import pytest
from msgspec import Raw

from tests.integration.node.listener_kit import RPC, dialing_context, guest, port
from tests.integration.node.rpc_kit import (
    ECHO,
    OPEN,
    QUICK,
    WAIT,
    Ask,
    Service,
    Told,
    client,
    insist,
    refused,
    service,
)
from tests.integration.raft.transport_kit import Pki
from tests.waiting import until
from wire.core.errors import FatalError, RetryableError, WireError
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import (
    Call,
    Failure,
    Hello,
    Refusal,
    Us,
    Welcome,
    decode_answer,
    decode_greeting,
    encode,
)
from wire.node.rpc.server import RpcServer
from wire.node.rpc.settings import RpcSettings
from wire.raft.transport.framing import framed
from wire.raft.transport.tls import TlsFiles


async def test_who_connects_and_says_nothing_is_given_up(pki: Pki) -> None:
    async with service(None, settings=RpcSettings(dial_timeout_s=0.05)) as one, guest(one.here, None) as mute:
        await mute.say(b"wRP1")
        assert await mute.rest() == b""
        assert one.server.counters.refused == {"rpc.protocol_fault": 1}


@pytest.mark.parametrize(
    ("files", "code", "reason", "hint"),
    [
        (lambda pki: pki.good("n4"), "rpc.wrong_certificate", "is one for localhost, n4", "wire certs issue NODE"),
        (lambda pki: pki.expired("n2"), "rpc.certificate_refused", "certificate expired", "wire certs issue n2 …"),
        (lambda pki: pki.foreign("n2"), "rpc.certificate_refused", "unknown ca", "of the same authority"),
    ],
    ids=["another's", "expired", "another authority's"],
)
async def test_who_calls_must_prove_its_name(
    one: Service, pki: Pki, files: Callable[[Pki], TlsFiles], code: str, reason: str, hint: str
) -> None:
    error = await refused(client(pki, one.address, files=files(pki)))
    assert error.code == code
    assert reason in error.message
    assert hint in (error.hint or "")
    assert one.server.counters.calls == 0


async def test_why_nobody_is_called_is_said_also_while_nothing_is_tried(one: Service, pki: Pki) -> None:
    slow = RpcSettings(backoff_initial_s=1000)
    errors: list[WireError] = []
    async with client(pki, one.address, files=pki.foreign("n2"), settings=slow) as there:
        for _ in range(2):
            with pytest.raises(WireError) as failure:
                await there.call(ECHO, Ask("x"), timeout_s=30)
            errors.append(failure.value)
    assert errors[0].code == errors[1].code == "rpc.certificate_refused"
    assert errors[0].hint == errors[1].hint is not None
    await until(lambda: one.here.counters.refused == {"node.tls": 1})


@pytest.mark.parametrize(
    ("files", "reason", "hint"),
    [
        (lambda pki: pki.expired("n1"), "certificate has expired", "wire certs issue n1 …"),
        (lambda pki: pki.foreign("n1"), "unable to get local issuer certificate", "of the same authority"),
    ],
    ids=["expired", "another authority's"],
)
async def test_who_is_called_must_have_a_certificate_that_is_trusted(
    pki: Pki, files: Callable[[Pki], TlsFiles], reason: str, hint: str
) -> None:
    async with service(files(pki)) as one:
        error = await refused(client(pki, one.address))
    assert error.code == "rpc.untrusted_certificate"
    assert error.message == f"the certificate of {one.address} is not trusted: {reason}"
    assert hint in (error.hint or "")


async def test_who_calls_without_a_certificate_is_refused(one: Service, pki: Pki) -> None:
    context = dialing_context(pki.good("n1"), None, RPC)
    there = RpcClient(Us("n2"), one.address, tls=lambda: context, rng=random.Random(1))
    context.check_hostname = False
    error = await refused(there)
    assert error.code == "rpc.unreachable"
    assert "does not accept our certificate" in error.message
    assert one.here.counters.refused == {"node.no_certificate": 1}


@pytest.mark.parametrize(("secure", "code"), [(True, "node.no_certificate"), (False, "rpc.unreachable")])
async def test_who_has_no_certificates_learns_whether_that_is_why_nobody_answers(
    pki: Pki, secure: bool, code: str
) -> None:
    async with port(pki.good("n1") if secure else None) as here:  # where calls are not taken yet
        there = RpcClient(Us("n2"), f"127.0.0.1:{here.number}", tls=None, rng=random.Random(1))
        error = await refused(there)
    assert error.code == code
    assert ("--cert" in (error.hint or "")) == secure


async def test_who_has_certificates_learns_of_a_node_that_has_none(pki: Pki) -> None:
    async with service(None) as one:
        error = await refused(client(pki, one.address))
    assert error.code == "rpc.unencrypted"
    assert error.message == f"{one.address} speaks no TLS, and this node has certificates"
    assert error.hint == "start both nodes with certificates, or both without"


async def test_a_node_with_certificates_takes_no_calls_in_the_clear(pki: Pki) -> None:
    async with port(None) as here:
        server = RpcServer(Us("n1"), lambda _: True, secure=True)
        here.listener.hear(RPC, server.accept)
        there = RpcClient(Us("n2"), f"127.0.0.1:{here.number}", tls=None, rng=random.Random(1))
        assert (await refused(there)).code == "rpc.wrong_certificate"


@pytest.mark.parametrize(
    ("us", "name", "code"),
    [(Us("n2", "c-2"), "n1", "rpc.wrong_cluster"), (Us("n2", "c-1"), "localhost", "rpc.wrong_node")],
)
async def test_who_calls_must_mean_this_node_and_cluster(one: Service, pki: Pki, us: Us, name: str, code: str) -> None:
    assert (await refused(client(pki, one.address, us, name=name))).code == code


async def test_who_is_called_must_prove_its_name(one: Service, pki: Pki) -> None:
    error = await refused(client(pki, one.address, name="n9"))
    assert error.code == "rpc.wrong_certificate"
    assert "one for localhost, n1" in error.message
    assert one.server.counters.connections == 0


async def test_only_members_call_what_is_theirs_and_a_removal_counts_at_once(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        await there.call(ECHO, Ask("x"), timeout_s=30)
        one.members.clear()
        with pytest.raises(FatalError) as failure:
            await there.call(ECHO, Ask("x"), timeout_s=30)
        assert failure.value.code == "rpc.members_only"
        assert (await there.call(OPEN, Ask("x"), timeout_s=30)).by == "n2"


async def test_a_node_without_a_cluster_may_ask_what_is_for_strangers(one: Service, pki: Pki) -> None:
    async with client(pki, one.address, Us("n7"), files=pki.good("n7"), name=None) as there:
        assert await there.call(OPEN, Ask("x"), timeout_s=30) == Told("x", "n7", None)


@pytest.mark.parametrize(
    "data",
    [
        framed(b"\xc0"),
        framed(encode(Welcome(1, "n1"))),
        b"\xff\xff\xff\xff",
        framed(encode(Hello(1, 1, "n2"))) + framed(b"\x93\xa1c\x01"),
        framed(encode(Hello(1, 1, "n2"))) + b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_of_the_protocol_ends_the_connection(one: Service, pki: Pki, data: bytes) -> None:
    async with guest(one.here, dialing_context(pki.good("n1"), pki.good("n2"), RPC)) as there:
        await there.say(data)
        await there.rest()
        assert one.server.counters.refused == {"rpc.protocol_fault": 1}


async def test_a_newer_node_that_still_speaks_our_protocol_is_welcome_and_one_that_does_not_is_told(
    one: Service, pki: Pki
) -> None:
    for hello, expected in ((Hello(1, 7, "n2"), Welcome), (Hello(2, 7, "n2"), Refusal)):
        async with guest(one.here, dialing_context(pki.good("n1"), pki.good("n2"), RPC)) as there:
            await there.say(framed(encode(hello)))
            size = int.from_bytes(await there.reader.readexactly(4), "big")
            assert isinstance(decode_greeting(await there.reader.readexactly(size)), expected)


async def test_a_caller_that_leaves_takes_its_calls_with_it(one: Service, pki: Pki) -> None:
    async with guest(one.here, dialing_context(pki.good("n1"), pki.good("n2"), RPC)) as there:
        call = Call(1, WAIT.name, 60_000, Raw(encode(Ask("x"))))
        await there.say(framed(encode(Hello(1, 1, "n2"))) + framed(encode(call)))
        await until(lambda: one.waiting == 1)
    await until(lambda: one.cancelled == 1)


def test_a_failure_of_a_newer_node_keeps_its_words() -> None:
    newer = decode_answer(encode(Failure(1, "rpc.not_known_yet", "something new")))
    assert isinstance(newer, Failure)
    error = newer.error()
    assert (error.code, error.message) == ("rpc.failed", "rpc.not_known_yet: something new")


async def test_renewed_contexts_are_used_for_the_next_connection(pki: Pki) -> None:
    contexts = [dialing_context(pki.good("n1"), files, RPC) for files in (pki.expired("n2"), pki.good("n2"))]
    for each in contexts:
        each.check_hostname = False
    async with service(pki.good("n1")) as one:

        def current() -> ssl.SSLContext:
            return contexts[0] if len(contexts) > 1 else contexts[-1]

        there = RpcClient(Us("n2", "c-1"), one.address, name="n1", tls=current, rng=random.Random(1), settings=QUICK)
        async with there:
            with pytest.raises(RetryableError):
                await there.call(ECHO, Ask("x"), timeout_s=30)
            del contexts[0]
            await insist(there)
