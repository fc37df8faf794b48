"""Calls between nodes on the node's port: who may make them, what comes back, and what a broken connection does."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from msgspec import Raw, Struct
from structlog.testing import capture_logs

from tests.integration.node.listener_kit import RPC, Port, dialing_context, guest, port
from tests.integration.raft.transport_kit import Pki
from tests.waiting import until
from wire.core.errors import FatalError, RetryableError, WireError
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import (
    Call,
    Caller,
    Failure,
    Hello,
    Method,
    Refusal,
    Us,
    Welcome,
    decode_answer,
    decode_greeting,
    encode,
)
from wire.node.rpc.server import RpcServer
from wire.node.rpc.settings import RpcSettings
from wire.raft.transport.framing import SIGN_OF_LIFE, framed
from wire.raft.transport.tls import TlsFiles

QUICK = RpcSettings(backoff_initial_s=0.01, backoff_max_s=0.05)


class Ask(Struct, frozen=True, tag="ask"):
    text: str
    size: int = 0


class Told(Struct, frozen=True, tag="told"):
    text: str
    by: str = ""
    cluster: str | None = None
    data: bytes = b""


ECHO = Method("test.echo", Ask, Told)
WAIT = Method("test.wait", Ask, Told)
FAIL = Method("test.fail", Ask, Told)
OPEN = Method("test.open", Ask, Told, for_strangers=True)
ABSENT = Method("test.absent", Ask, Told)


class Service:
    """A node that answers."""

    def __init__(self, here: Port, server: RpcServer, us: Us) -> None:
        self.here, self.server, self.us = here, server, us
        self.address = f"127.0.0.1:{here.number}"
        self.members = {"n2", "n3"}
        self.waiting = 0
        self.cancelled = 0
        self.let_go = asyncio.Event()

    async def echo(self, request: Ask, caller: Caller) -> Told:
        return Told(request.text, caller.name, caller.cluster, bytes(request.size))

    async def wait(self, request: Ask, caller: Caller) -> Told:
        self.waiting += 1
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Told(request.text)

    async def fail(self, request: Ask, caller: Caller) -> Told:
        match request.text:
            case "retryable":
                raise RetryableError("raft.no_leader", "nobody leads", after_s=1.5, hint="wait")
            case "fatal":
                raise FatalError("raft.stopped", "it has stopped")
            case _:
                raise RuntimeError("a secret detail")


@asynccontextmanager
async def service(files: TlsFiles | None, *, settings: RpcSettings = QUICK, number: int = 0) -> AsyncIterator[Service]:
    us = Us("n1", "c-1")
    async with port(files, address=f"127.0.0.1:{number}") as here:
        server = RpcServer(us, lambda caller: caller.name in found.members, secure=files is not None, settings=settings)
        found = Service(here, server, us)
        server.handle(ECHO, found.echo)
        server.handle(WAIT, found.wait)
        server.handle(FAIL, found.fail)
        server.handle(OPEN, found.echo)
        here.listener.hear(RPC, server.accept)
        yield found


@pytest.fixture
async def one(pki: Pki) -> AsyncIterator[Service]:
    async with service(pki.good("n1")) as found:
        yield found


def client(
    pki: Pki,
    to: str,
    us: Us | None = None,
    *,
    files: TlsFiles | None = None,
    name: str | None = "n1",
    settings: RpcSettings = QUICK,
) -> RpcClient:
    context = dialing_context(pki.good("n1"), files or pki.good("n2"), RPC)
    context.check_hostname = False
    return RpcClient(us or Us("n2", "c-1"), to, name=name, tls=lambda: context, rng=random.Random(1), settings=settings)


async def refused(client: RpcClient, method: Method[Ask, Told] = ECHO) -> WireError:
    async with client:
        with pytest.raises(WireError) as failure:
            await client.call(method, Ask("x"), timeout_s=30)
    return failure.value


async def test_a_call_is_answered_and_the_caller_is_known(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        assert await there.call(ECHO, Ask("hello"), timeout_s=30) == Told("hello", "n2", "c-1")


async def test_it_works_in_the_clear_between_nodes_without_certificates() -> None:
    async with service(None) as one:
        there = RpcClient(Us("n2", "c-1"), one.address, name="n1", tls=None, rng=random.Random(1))
        async with there:
            assert await there.call(ECHO, Ask("hello"), timeout_s=30) == Told("hello", "n2", "c-1")


async def test_many_calls_share_a_connection_and_none_waits_for_another(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there, asyncio.TaskGroup() as group:
        slow = group.create_task(there.call(WAIT, Ask("slow"), timeout_s=60))
        await until(lambda: one.waiting == 1)
        answers = await asyncio.gather(*(there.call(ECHO, Ask(str(i)), timeout_s=60) for i in range(100)))
        assert [each.text for each in answers] == [str(i) for i in range(100)]
        one.let_go.set()
        assert (await slow).text == "slow"
        assert there.counters.connections == 1
        assert one.server.counters.connections == 1


async def test_large_answers_do_not_get_into_one_another(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        sizes = [1_000_000 + i for i in range(8)]
        answers = await asyncio.gather(*(there.call(ECHO, Ask("x", size), timeout_s=60) for size in sizes))
        assert [len(each.data) for each in answers] == sizes


async def test_what_is_larger_than_allowed_is_refused_on_either_side(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        for request in (Ask("x" * (17 << 20)), Ask("x", 17 << 20)):
            with pytest.raises(FatalError) as failure:
                await there.call(ECHO, request, timeout_s=60)
            assert failure.value.code == "rpc.too_large"
        assert (await there.call(ECHO, Ask("small"), timeout_s=60)).text == "small"


async def test_errors_of_the_tree_are_raised_where_the_call_was_made(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        with pytest.raises(RetryableError) as retryable:
            await there.call(FAIL, Ask("retryable"), timeout_s=30)
        with pytest.raises(FatalError) as fatal:
            await there.call(FAIL, Ask("fatal"), timeout_s=30)
        assert (await there.call(ECHO, Ask("x"), timeout_s=30)).text == "x"
    error = retryable.value
    assert (error.code, error.message, error.hint, error.after_s) == ("raft.no_leader", "nobody leads", "wait", 1.5)
    assert (fatal.value.code, fatal.value.message) == ("raft.stopped", "it has stopped")


async def test_a_bug_of_a_handler_is_logged_there_and_not_told(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        with capture_logs() as logs, pytest.raises(FatalError) as failure:
            await there.call(FAIL, Ask("bug"), timeout_s=30)
        assert failure.value.code == "rpc.failed"
        assert "secret" not in str(failure.value)
        assert [line["event"] for line in logs] == ["rpc_call_failed"]
        assert (await there.call(ECHO, Ask("x"), timeout_s=30)).text == "x"


async def test_a_method_that_is_not_known_is_refused(one: Service, pki: Pki) -> None:
    assert (await refused(client(pki, one.address), ABSENT)).code == "rpc.unknown_method"


async def test_what_is_no_request_of_the_method_is_refused(one: Service, pki: Pki) -> None:
    class Other(Struct, tag="other"):
        pass

    async with client(pki, one.address) as there:
        with pytest.raises(FatalError) as failure:
            await there.call(Method("test.echo", Other, Told), Other(), timeout_s=30)
        assert failure.value.code == "rpc.protocol_fault"
        with pytest.raises(FatalError) as failure:
            await there.call(Method("test.echo", Ask, Other), Ask("x"), timeout_s=30)
        assert failure.value.code == "rpc.protocol_fault"


async def test_a_call_that_takes_too_long_fails_and_is_given_up_over_there(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        with pytest.raises(RetryableError) as failure:
            await there.call(WAIT, Ask("x"), timeout_s=0.2)
        assert failure.value.code == "rpc.timeout"
        await until(lambda: one.cancelled == 1)
        assert (await there.call(ECHO, Ask("x"), timeout_s=30)).text == "x"
        assert there.counters.connections == 1


async def test_more_calls_than_allowed_are_refused_and_may_be_made_again(pki: Pki) -> None:
    few = RpcSettings(max_calls=3)
    async with service(pki.good("n1"), settings=few) as one, AsyncExitStack() as stack:
        there = await stack.enter_async_context(client(pki, one.address))
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(there.call(WAIT, Ask("x"), timeout_s=60))
            await until(lambda: one.waiting == 3)
            with pytest.raises(RetryableError) as failure:
                await there.call(ECHO, Ask("x"), timeout_s=30)
            assert failure.value.code == "rpc.busy"
            one.let_go.set()
        mine = await stack.enter_async_context(client(pki, one.address, settings=few))
        one.let_go.clear()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(mine.call(WAIT, Ask("x"), timeout_s=60))
            await until(lambda: one.waiting == 6)
            with pytest.raises(RetryableError) as failure:
                await mine.call(ECHO, Ask("x"), timeout_s=30)
            assert failure.value.code == "rpc.busy"
            one.let_go.set()


async def test_calls_fail_when_the_connection_breaks_and_the_next_one_makes_another(pki: Pki) -> None:
    async with AsyncExitStack() as stack:
        async with service(pki.good("n1")) as one:
            there = await stack.enter_async_context(client(pki, one.address))
            waiting = asyncio.get_running_loop().create_task(there.call(WAIT, Ask("x"), timeout_s=60))
            await until(lambda: one.waiting == 1)
        with pytest.raises(RetryableError) as failure:
            await waiting
        assert failure.value.code == "rpc.lost"
        assert one.cancelled == 1
        with pytest.raises(RetryableError) as failure:
            await there.call(ECHO, Ask("x"), timeout_s=30)
        assert failure.value.code in ("rpc.unreachable", "rpc.lost")
        async with service(pki.good("n1"), number=one.here.number):
            await _insist(there)
        assert there.counters.connections == 2


async def _insist(there: RpcClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await there.call(ECHO, Ask("x"), timeout_s=30)
            except RetryableError as exc:
                await asyncio.sleep(exc.after_s)
            else:
                return


async def test_calls_fail_at_once_for_a_moment_after_nobody_was_reached(pki: Pki) -> None:
    class Longest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    slow = RpcSettings(backoff_initial_s=3600, backoff_max_s=3600)
    async with port(None) as gone:
        pass
    there = RpcClient(Us("n2"), f"127.0.0.1:{gone.number}", tls=None, rng=Longest(), settings=slow)
    async with there:
        for _ in range(2):
            with pytest.raises(RetryableError) as failure:
                await there.call(ECHO, Ask("x"), timeout_s=30)
            assert failure.value.code == "rpc.unreachable"
        async with service(None, number=gone.number):
            with pytest.raises(RetryableError) as failure:
                await there.call(ECHO, Ask("x"), timeout_s=30)
        assert failure.value.after_s > 3000


async def test_a_node_that_says_nothing_any_more_is_noticed(pki: Pki) -> None:
    brief = RpcSettings(ping_interval_s=0.05, idle_timeout_s=0.2, backoff_initial_s=0.01)
    async with port(None) as here:

        async def welcome_and_fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(framed(encode(Welcome(1, "n1"))))
            try:
                while await reader.read(1 << 16):
                    pass
            finally:
                writer.close()

        here.listener.hear(RPC, welcome_and_fall_silent)
        there = RpcClient(Us("n2"), f"127.0.0.1:{here.number}", tls=None, rng=random.Random(1), settings=brief)
        async with there:
            with pytest.raises(RetryableError) as failure:
                await there.call(ECHO, Ask("x"), timeout_s=60)
    assert failure.value.code == "rpc.lost"
    assert "nothing was heard for 0.2 s" in failure.value.message


async def test_signs_of_life_are_given_and_answered(one: Service, pki: Pki) -> None:
    async with guest(one.here, dialing_context(pki.good("n1"), pki.good("n2"), RPC)) as there:
        await there.say(framed(encode(Hello(1, 1, "n2"))))
        await there.hear(b"c-1")
        for _ in range(3):
            await there.say(SIGN_OF_LIFE)
            await there.hear(SIGN_OF_LIFE)
    heard = bytearray()
    async with port(None) as here:

        async def welcome_and_listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(framed(encode(Welcome(1, "n1"))))
            while chunk := await reader.read(1 << 16):
                heard.extend(chunk)

        here.listener.hear(RPC, welcome_and_listen)
        brief = RpcSettings(ping_interval_s=0.01)
        calling = RpcClient(Us("n2"), f"127.0.0.1:{here.number}", tls=None, rng=random.Random(1), settings=brief)
        async with calling:
            with pytest.raises(RetryableError):
                await calling.call(ECHO, Ask("x"), timeout_s=0.2)
            await until(lambda: heard.endswith(SIGN_OF_LIFE * 3))


async def test_a_client_that_ends_while_its_connection_breaks_closes_it(pki: Pki) -> None:
    async with AsyncExitStack() as stack, service(pki.good("n1")) as one:
        there = await stack.enter_async_context(client(pki, one.address))
        await there.call(ECHO, Ask("x"), timeout_s=30)
    # whatever is left open is a warning, and so a failure


async def test_a_client_that_ends_as_soon_as_it_is_connected_closes_the_connection(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        with pytest.raises(FatalError):
            await there.call(ECHO, Ask("x" * (17 << 20)), timeout_s=60)


async def test_who_connects_and_says_nothing_is_given_up(pki: Pki) -> None:
    async with service(None, settings=RpcSettings(dial_timeout_s=0.05)) as one, guest(one.here, None) as mute:
        await mute.say(b"wRP1")
        assert await mute.rest() == b""
        assert one.server.counters.refused == {"rpc.protocol_fault": 1}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (lambda pki: pki.good("n4"), "rpc.wrong_certificate"),
        (lambda pki: pki.expired("n2"), "rpc.unreachable"),
        (lambda pki: pki.foreign("n2"), "rpc.unreachable"),
    ],
    ids=["another's", "expired", "another authority's"],
)
async def test_who_calls_must_prove_its_name(
    one: Service, pki: Pki, files: Callable[[Pki], TlsFiles], code: str
) -> None:
    error = await refused(client(pki, one.address, files=files(pki)))
    assert error.code == code
    assert one.server.counters.calls == 0


async def test_who_calls_without_a_certificate_is_refused(one: Service, pki: Pki) -> None:
    context = dialing_context(pki.good("n1"), None, RPC)
    there = RpcClient(Us("n2"), one.address, tls=lambda: context, rng=random.Random(1))
    context.check_hostname = False
    error = await refused(there)
    assert error.code == "rpc.wrong_certificate"
    assert "shows no certificate" in error.message


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
            await _insist(there)
