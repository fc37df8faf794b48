"""Calls between nodes on the node's port: what comes back, and what a broken connection does."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from tests.integration.node.listener_kit import RPC, dialing_context, guest, port
from tests.integration.node.rpc_kit import (
    ABSENT,
    ECHO,
    FAIL,
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
from wire.core.errors import FatalError, RetryableError
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import (
    Hello,
    Method,
    Us,
    Welcome,
    encode,
)
from wire.node.rpc.settings import RpcSettings
from wire.raft.transport.framing import SIGN_OF_LIFE, framed


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


async def test_what_a_call_raises_leaves_the_client_as_it_is(one: Service, pki: Pki) -> None:
    with pytest.raises(RetryableError):
        async with client(pki, one.address) as there:
            await there.call(FAIL, Ask("retryable"), timeout_s=30)


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
        await there.call(ECHO, Ask("x"), timeout_s=30)
        with pytest.raises(RetryableError) as failure:
            await there.call(WAIT, Ask("x"), timeout_s=1)
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
            await insist(there)
        assert there.counters.connections == 2


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
            assert failure.value.message == f"127.0.0.1:{gone.number} can't be reached: connection refused"
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
        async with calling, asyncio.TaskGroup() as group:
            waiting = group.create_task(calling.call(ECHO, Ask("x"), timeout_s=60))
            await until(lambda: heard.endswith(SIGN_OF_LIFE * 3))
            waiting.cancel()


async def test_a_client_that_ends_while_its_connection_breaks_closes_it(pki: Pki) -> None:
    async with AsyncExitStack() as stack, service(pki.good("n1")) as one:
        there = await stack.enter_async_context(client(pki, one.address))
        await there.call(ECHO, Ask("x"), timeout_s=30)
    # whatever is left open is a warning, and so a failure


async def test_a_client_that_ends_as_soon_as_it_is_connected_closes_the_connection(one: Service, pki: Pki) -> None:
    async with client(pki, one.address) as there:
        with pytest.raises(FatalError):
            await there.call(ECHO, Ask("x" * (17 << 20)), timeout_s=60)
