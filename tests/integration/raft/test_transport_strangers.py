"""Who is turned away, how that is said, and that two members who talk meanwhile are unharmed."""

from __future__ import annotations

import asyncio
import os
import pickle
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.integration.raft.transport_kit import (
    CLUSTER,
    Node,
    Pki,
    Stranger,
    hello,
    impostor,
    member_id,
    node,
    pair,
    stranger,
)
from tests.waiting import until
from wire.raft.transport.framing import framed
from wire.raft.transport.handshake import MAX_GREETING_BYTES, Refusal, Welcome
from wire.raft.transport.handshake import encode as encode_greeting
from wire.raft.transport.messages import TimeoutNow, VoteReply, encode
from wire.raft.transport.ports import Admission
from wire.raft.transport.tls import TlsFiles, client_context, server_context
from wire.raft.types import MemberId


@pytest.fixture
async def one(pki: Pki) -> AsyncIterator[Node]:
    """n1, which talks to n2 all the time."""
    async with pair(pki) as (one, _):
        yield one


def without_certificate(pki: Pki) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.good("n3").ca))
    context.check_hostname = False
    context.set_alpn_protocols(["wire-raft/1"])
    return context


def old_tls(pki: Pki) -> ssl.SSLContext:
    context = client_context(pki.good("n3"))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (lambda pki: client_context(pki.foreign("n3")), "unable to get local issuer certificate"),
        (lambda pki: client_context(pki.expired("n3")), "certificate has expired"),
        (without_certificate, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (old_tls, "UNSUPPORTED_PROTOCOL"),
    ],
    ids=["another authority's", "expired", "none", "TLS 1.2"],
)
async def test_a_certificate_that_proves_nothing_ends_at_the_tls_handshake(
    one: Node, pki: Pki, context: Callable[[Pki], ssl.SSLContext], reason: str
) -> None:
    with capture_logs() as logs:
        try:
            async with stranger(one, context(pki)) as guest:
                await guest.say(framed(hello()))
                await guest.ended()
        except OSError:
            pass
        await until(lambda: bool(one.counters.refused))
    assert one.counters.refused == {"raft.tls": 1}
    assert [(line["event"], line["reason"]) for line in logs] == [("raft_connection_refused", reason)]
    assert one.counters.accepted == 1


async def test_a_listener_of_http_has_certificates_as_an_option_and_consensus_has_not(pki: Pki) -> None:
    files = pki.good("n1")
    serving = server_context(files)
    serving.verify_mode = ssl.CERT_OPTIONAL
    async with node("n1", None, tls=(serving, client_context(files))) as one:
        async with stranger(one, without_certificate(pki)) as guest:
            answer = await guest.greet()
        assert answer == Refusal("raft.wrong_certificate", "n3/1 shows no certificate that names anybody")


async def test_a_member_with_certificates_hears_nobody_in_the_clear(pki: Pki) -> None:
    files = pki.good("n1")
    async with node("n1", None, tls=(None, client_context(files))) as one, stranger(one, None) as guest:
        await guest.say(b"wRF1")
        assert await guest.greet() == Refusal("raft.wrong_certificate", "n3/1 shows no certificate that names anybody")


async def test_without_the_right_word_in_alpn_nobody_is_heard(one: Node, pki: Pki) -> None:
    context = client_context(pki.good("n3"))
    context.set_alpn_protocols(["http/1.1"])
    async with stranger(one, context) as guest:
        await guest.say(framed(hello()))
        await guest.ended()
    assert one.counters.refused == {"raft.protocol_fault": 1}
    assert one.counters.accepted == 1


@pytest.mark.parametrize(
    ("fields", "admission", "code", "message"),
    [
        ({"sender": "n4/1"}, Admission.KNOWN, "raft.wrong_certificate", "one for localhost, n3"),
        ({"oldest": 2, "newest": 3}, Admission.KNOWN, "raft.incompatible_protocol", "2 to 3 is offered, n1/1 speaks"),
        ({"cluster": "c-2"}, Admission.KNOWN, "raft.wrong_cluster", "this is cluster c-1, not c-2"),
        ({"receiver": "n1/0"}, Admission.KNOWN, "raft.wrong_member", "this is n1/1, not n1/0"),
        ({}, Admission.UNKNOWN, "raft.unknown_member", "n1/1 knows no member n3/1"),
        ({}, Admission.REMOVED, "raft.removed_member", "n3/1 was removed"),
    ],
)
async def test_a_hello_that_does_not_fit_is_refused_in_clear_words(
    one: Node, pki: Pki, fields: dict[str, object], admission: Admission, code: str, message: str
) -> None:
    one.handler.admissions[member_id("n3")] = admission
    async with stranger(one, client_context(pki.good("n3"))) as guest:
        answer = await guest.greet(**fields)
        assert isinstance(answer, Refusal)
        assert answer.code == code
        assert message in answer.message
        await guest.ended()
    assert one.counters.refused == {code: 1}
    assert one.counters.accepted == 1


async def test_a_newer_member_that_still_speaks_our_protocol_is_welcome(one: Node, pki: Pki) -> None:
    async with stranger(one, client_context(pki.good("n3"))) as guest:
        assert await guest.greet(newest=7) == Welcome(1)
        await guest.say(framed(encode(TimeoutNow(4))))
        await until(lambda: ("n3/1", TimeoutNow(4)) in one.handler.received)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x05hello",
        b"\xff" * 100,
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        framed(encode_greeting(Welcome(1))),
        framed(encode(TimeoutNow(1))),
        framed(hello()[:-1]),
        (MAX_GREETING_BYTES + 1).to_bytes(4, "big"),
        framed(msgspec.msgpack.encode({**msgspec.msgpack.decode(hello()), "more": bytes(MAX_GREETING_BYTES)})),
        framed(b""),
    ],
)
async def test_garbage_instead_of_a_hello_is_refused(one: Node, pki: Pki, data: bytes) -> None:
    async with stranger(one, client_context(pki.good("n3"))) as guest:
        await guest.say(data)
        await guest.ended()
    assert one.counters.refused == {"raft.protocol_fault": 1}
    assert one.counters.protocol_faults == 1
    assert one.counters.accepted == 1


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
async def test_a_pickle_is_refused_and_nothing_of_it_is_run(one: Node, pki: Pki, tmp_path: Path, protocol: int) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "made"), protocol)
    context = client_context(pki.good("n3"))
    async with stranger(one, context) as early:
        await early.say(framed(bomb))
        await early.ended()
    async with stranger(one, context) as late:
        assert await late.greet() == Welcome(1)
        await late.say(framed(bomb))
        await late.ended()
    assert one.counters.refused == {"raft.protocol_fault": 2}
    assert not (tmp_path / "made").exists()
    pickle.loads(bomb)  # noqa: S301 (so it would have been)
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "data",
    [
        (65 * (1 << 20) + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        framed(b"\xdd\xff\xff\xff\xff"),
        framed(b"\x92" * 10_000),
        framed(encode(VoteReply(1, True)) + b"\x00"),
        framed(hello()),
    ],
    ids=["over-long", "longest", "announces much", "deep", "something behind it", "a second hello"],
)
async def test_what_is_no_message_closes_the_connection_and_is_counted(one: Node, pki: Pki, data: bytes) -> None:
    async with stranger(one, client_context(pki.good("n3"))) as guest:
        assert await guest.greet() == Welcome(1)
        await guest.say(framed(encode(TimeoutNow(8))))
        await until(lambda: ("n3/1", TimeoutNow(8)) in one.handler.received)
        await guest.say(data)
        await guest.ended()
    assert one.counters.protocol_faults == 1
    assert one.counters.refused == {"raft.protocol_fault": 1}
    assert [sender for sender, _ in one.handler.received if sender == "n3/1"] == ["n3/1"]


async def test_the_same_stranger_is_told_of_once_until_it_was_welcome(one: Node, pki: Pki) -> None:
    context = client_context(pki.good("n3"))

    async def try_it(admission: Admission) -> None:
        one.handler.admissions[member_id("n3")] = admission
        async with stranger(one, context) as guest:
            await guest.greet()

    with capture_logs() as logs:
        for admission in (Admission.UNKNOWN, Admission.UNKNOWN, Admission.KNOWN, Admission.UNKNOWN):
            await try_it(admission)
        await until(lambda: one.counters.refused == {"raft.unknown_member": 3})
    assert [line["event"] for line in logs] == ["raft_connection_refused"] * 2


async def test_a_removed_member_is_heard_no_more_and_learns_of_it(pki: Pki) -> None:
    async with pair(pki) as (one, two), node("n3", pki.good("n3")) as three:
        three.meet(one, two)
        await until(lambda: three.reaches(one) and three.reaches(two))
        one.handler.admissions[three.id] = Admission.REMOVED
        one.transport.review()
        await until(lambda: bool(three.handler.refusals))
        assert three.handler.refusals[0] == (
            one.id,
            "raft.removed_member",
            "n3/1 was removed from the cluster",
        )
        assert not three.reaches(one)
        assert three.reaches(two)
        assert three.counters.refusals["raft.removed_member"] == len(three.handler.refusals)


async def test_an_unknown_member_goes_on_asking_until_it_is_known(pki: Pki) -> None:
    async with pair(pki) as (one, _), node("n3", pki.good("n3")) as three:
        one.handler.admissions[three.id] = Admission.UNKNOWN
        three.meet(one)
        await until(lambda: len(three.handler.refusals) > 2)
        assert {code for _, code, _ in three.handler.refusals} == {"raft.unknown_member"}
        one.handler.admissions[three.id] = Admission.KNOWN
        await until(lambda: three.reaches(one))


@pytest.mark.parametrize(
    ("files", "code", "reason"),
    [
        (lambda pki: pki.expired("n2"), "raft.tls", "certificate has expired"),
        (lambda pki: pki.foreign("n2"), "raft.tls", "unable to get local issuer certificate"),
        (lambda pki: pki.good("n4"), "raft.wrong_certificate", "is one for localhost, n4"),
    ],
    ids=["expired", "another authority's", "another name's"],
)
async def test_who_dials_checks_who_answers(
    one: Node, pki: Pki, files: Callable[[Pki], TlsFiles], code: str, reason: str
) -> None:
    with capture_logs() as logs:
        async with (
            node("n3", pki.good("n3")) as three,
            node("n2", files(pki)) as false,
        ):
            three.transport.set_peers({false.id: false.member.address, one.id: one.member.address})
            await until(lambda: three.counters.refused.get(code, 0) > 1 and three.reaches(one))
            assert not three.reaches(false)
            assert false.counters.accepted == 0
            unreachable = [line for line in logs if line["event"] == "raft_peer_unreachable"]
            assert [line["peer"] for line in unreachable] == [false.id]  # once, for the same reason
            assert reason in unreachable[0]["reason"]


async def test_who_dials_learns_that_its_certificate_is_not_accepted(one: Node, pki: Pki) -> None:
    with capture_logs() as logs:
        async with node("n3", pki.expired("n3")) as three:
            three.meet(one)
            await until(lambda: one.counters.refused.get("raft.tls", 0) > 1 and any("peer" in line for line in logs))
            assert not three.reaches(one)
    assert "alert certificate expired" in next(line["reason"] for line in logs if "peer" in line)


async def test_another_incarnation_at_a_members_address_is_not_taken_for_it(pki: Pki) -> None:
    async with node("n1", pki.good("n1")) as one, node("n2", pki.good("n2")) as two:
        old = MemberId("n2/0")
        one.transport.set_peers({old: two.member.address})
        await until(lambda: bool(one.handler.refusals))
        assert one.handler.refusals[0][:2] == (old, "raft.wrong_member")


@pytest.mark.parametrize(
    "answer",
    [
        framed(b"\xc0"),
        framed(encode_greeting(Welcome(2))),
        b"\xff\xff\xff\xff",
        framed(encode_greeting(Welcome(1))) + b"\x00\x00\x00\x01x",
    ],
    ids=["no answer", "a version we do not speak", "over-long", "more than a sign of life"],
)
async def test_a_false_server_is_not_believed(one: Node, pki: Pki, answer: bytes) -> None:
    async def say(guest: Stranger) -> None:
        await guest.say(answer)

    async with (
        impostor(server_context(pki.good("n2")), say) as address,
        node("n3", pki.good("n3")) as three,
    ):
        three.transport.set_peers({member_id("n2"): address, one.id: one.member.address})
        await until(lambda: three.counters.protocol_faults > 1 and three.reaches(one))
        assert three.counters.refused == {"raft.protocol_fault": three.counters.protocol_faults}


async def test_who_comes_while_no_more_files_may_be_open_is_let_in_later(one: Node) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as guest:
        guest.setblocking(False)
        lowest = os.dup(guest.fileno())
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            host, _, port = one.member.address.rpartition(":")
            await asyncio.get_running_loop().sock_connect(guest, (host, int(port)))
            await until(lambda: one.counters.refused == {"raft.busy": 1})
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await asyncio.get_running_loop().sock_sendall(guest, b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: one.counters.refused == {"raft.busy": 1, "raft.tls": 1})


async def test_a_server_that_does_not_speak_our_protocol_is_not_greeted(pki: Pki) -> None:
    context = server_context(pki.good("n2"))
    context.set_alpn_protocols(["http/1.1"])
    said: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with node("n3", pki.good("n3")) as three:
        three.transport.set_peers({member_id("n2"): f"127.0.0.1:{server.sockets[0].getsockname()[1]}"})
        await until(lambda: three.counters.protocol_faults > 1)
    await until(lambda: bool(said))
    assert set(said) == {b""}
    server.close()


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:", "127.0.0.1:99999", "a" * 70 + ".example:1", "\0:1"])
async def test_an_address_that_is_none_is_unreachable_and_harms_nobody(one: Node, pki: Pki, address: str) -> None:
    async with node("n3", pki.good("n3"), cluster=CLUSTER) as three:
        three.transport.set_peers({member_id("n2"): address, one.id: one.member.address})
        await until(lambda: three.counters.unreachable > 0 and three.reaches(one))
