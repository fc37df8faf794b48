"""Members that talk to each other over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from contextlib import AsyncExitStack

import pytest

from tests.integration.raft.transport_kit import QUICK, Node, Pki, Recorder, member_id, node, pair, passes, stranger
from tests.services.ports import free_ports
from tests.waiting import until
from wire.raft.transport.handshake import PREAMBLE, Place, Welcome
from wire.raft.transport.listener import listening
from wire.raft.transport.messages import Append, Message, Propose, TimeoutNow
from wire.raft.transport.ports import TransportSettings
from wire.raft.transport.tls import client_context, reload, server_context
from wire.raft.transport.transport import Transport
from wire.raft.types import Entry, Member, MemberId


async def test_messages_arrive_in_their_order_in_both_directions(pki: Pki) -> None:
    async with pair(pki) as (one, two):
        for number in range(2000):
            assert one.transport.send(two.id, TimeoutNow(number))
            assert two.transport.send(one.id, TimeoutNow(number))
        await until(lambda: len(one.handler.received) == len(two.handler.received) == 2000)
        assert one.handler.received == [(two.id, TimeoutNow(number)) for number in range(2000)]
        assert two.handler.received == [(one.id, TimeoutNow(number)) for number in range(2000)]
        assert one.counters.sent == two.counters.received == 2000


async def test_a_large_message_arrives_whole(pki: Pki) -> None:
    command = random.Random(5).randbytes(20 << 20)
    message = Append(3, 7, 2, 6, 1, (Entry(8, 3, command), Entry(9, 3, b"")))
    async with pair(pki) as (one, two):
        one.transport.send(two.id, message)
        await until(lambda: len(two.handler.received) == 1)
        assert two.handler.received == [(one.id, message)]


async def test_a_message_that_no_frame_can_hold_is_dropped_and_counted(pki: Pki) -> None:
    small = TransportSettings(max_frame_bytes=1000, backoff_initial_s=0.01)
    async with node("n1", pki.good("n1"), settings=small) as one, node("n2", pki.good("n2")) as two:
        one.meet(two)
        await until(lambda: one.reaches(two))
        assert not one.transport.send(two.id, Propose(1, 1, b"", bytes(1000)))
        await passes(one, two)
        assert one.counters.dropped_too_large == 1
        assert len(two.handler.received) == 1


async def test_what_is_sent_without_a_connection_is_dropped_and_not_kept_for_later(pki: Pki) -> None:
    port = free_ports(1)[0]
    async with node("n1", pki.good("n1")) as one:
        one.transport.set_peers({member_id("n2"): f"127.0.0.1:{port}"})
        assert not one.transport.send(member_id("n2"), TimeoutNow(1))
        assert not one.transport.send(member_id("nobody"), TimeoutNow(1))
        assert one.counters.dropped_unconnected == 2
        async with node("n2", pki.good("n2"), port=port) as two:
            await until(lambda: one.reaches(two))
            assert one.transport.send(two.id, TimeoutNow(2))
            await until(lambda: bool(two.handler.received))
            assert two.handler.received == [(one.id, TimeoutNow(2))]


async def test_a_peer_that_restarts_is_reached_again_at_the_same_port_and_at_another(pki: Pki) -> None:
    ports = free_ports(2)
    async with node("n1", pki.good("n1")) as one, node("n3", pki.good("n3")) as three:
        for start, port in enumerate((ports[0], ports[0], ports[1])):
            async with node("n2", pki.good("n2"), port=port) as two:
                one.meet(two, three)
                await until(lambda two=two: one.reaches(two) and one.reaches(three))  # type: ignore[misc]
                await passes(one, two)
            await until(lambda two=two: not one.reaches(two))  # type: ignore[misc]
            events = [event for event, peer in one.handler.events if peer == two.id]
            assert events == ["connected", "disconnected"] * (start + 1)
        assert [event for event, peer in one.handler.events if peer == three.id] == ["connected"]


async def test_a_peer_that_is_heard_is_dialed_without_waiting_any_longer(pki: Pki) -> None:
    class Longest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    slow = TransportSettings(backoff_initial_s=3600, backoff_max_s=3600)
    port = free_ports(1)[0]
    async with node("n1", pki.good("n1"), settings=slow, rng=Longest()) as one:
        one.transport.set_peers({member_id("n2"): f"127.0.0.1:{port}"})
        await until(lambda: one.counters.unreachable == 1)
        async with node("n2", pki.good("n2"), port=port) as two:
            two.meet(one)
            await until(lambda: one.reaches(two))


async def test_who_is_no_peer_any_more_is_not_connected_any_more(pki: Pki) -> None:
    async with node("n1", pki.good("n1")) as one, node("n2", pki.good("n2")) as two:
        one.meet(one, two)
        await until(lambda: one.reaches(two))
        one.meet()
        await until(lambda: not one.reaches(two))
        assert not one.transport.send(two.id, TimeoutNow(1))
        assert one.handler.events == [("connected", two.id), ("disconnected", two.id)]


async def test_the_handler_learns_where_a_member_says_it_is_reached(pki: Pki) -> None:
    async with pair(pki) as (one, two):
        assert one.handler.asked == [two.member]
        assert two.handler.asked == [one.member]


async def test_a_second_connection_of_a_member_ends_the_first(pki: Pki) -> None:
    async with node("n1", pki.good("n1"), settings=TransportSettings(idle_timeout_s=3600)) as one:
        context = client_context(pki.good("n3"))
        async with stranger(one, context) as first, stranger(one, context) as second:
            assert await first.greet() == Welcome(1)
            assert await second.greet() == Welcome(1)
            await first.ended()
            assert one.counters.accepted == 2


async def test_without_tls_a_preamble_says_that_consensus_is_spoken() -> None:
    async with node("n1", None) as one, node("n2", None) as two:
        one.meet(two)
        await until(lambda: one.reaches(two))
        await passes(one, two)
        async with stranger(two, None) as guest:
            await guest.say(b"GET / HTTP/1.1\r\n\r\n")
            await guest.ended()
        async with stranger(two, None) as guest:
            await guest.say(PREAMBLE)
            assert await guest.greet(receiver=two.id) == Welcome(1)
        assert two.counters.refused == {"raft.protocol_fault": 1}
        await passes(one, two)


async def test_a_renewed_certificate_is_used_for_the_connections_to_come(pki: Pki) -> None:
    old, good = pki.expired("n2"), pki.good("n2")
    contexts = server_context(old), client_context(old)
    async with node("n1", pki.good("n1")) as one, node("n2", None, tls=contexts) as two:
        one.meet(two)
        two.meet(one)
        await until(lambda: one.counters.refused.get("raft.tls", 0) > 1 and not one.counters.dialed)
        for context in contexts:
            reload(context, good)
        await until(lambda: one.reaches(two) and two.reaches(one))


async def test_at_its_end_nothing_of_a_transport_runs_any_more(pki: Pki) -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(node(name, pki.good(name))) for name in ("n1", "n2")]
        one.meet(two)
        two.meet(one)
        await until(lambda: one.reaches(two) and two.reaches(one))
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    assert one.handler.events == [("connected", two.id), ("disconnected", two.id)]
    assert not one.transport.send(two.id, TimeoutNow(1))
    with pytest.raises(asyncio.InvalidStateError):
        one.meet(two)


async def test_streams_of_a_listener_that_outlives_the_transport_are_closed() -> None:
    member = Member(member_id("n1"), f"127.0.0.1:{free_ports(1)[0]}")
    patient = TransportSettings(idle_timeout_s=3600)
    transport = Transport(Place("c-1", member), Recorder(), tls=None, rng=random.Random(1), settings=patient)
    place = Node(member, transport, Recorder())
    door = listening(transport, "127.0.0.1", int(member.address.rpartition(":")[2]), None)
    async with door, AsyncExitStack() as guests:
        async with transport:
            early = await guests.enter_async_context(stranger(place, None))
            await early.say(PREAMBLE)
            assert await early.greet() == Welcome(1)
        await early.ended()
        late = await guests.enter_async_context(stranger(place, None))
        await late.say(PREAMBLE)
        await late.ended()
    assert transport.counters.accepted == 1


async def test_a_handler_that_raises_ends_the_transport_loudly(pki: Pki) -> None:
    class DiskFullError(OSError):
        pass

    class Raising(Recorder):
        def receive(self, sender: MemberId, message: Message) -> None:
            raise DiskFullError

    files = pki.good("n1")
    me = Member(member_id("n1"), f"127.0.0.1:{free_ports(1)[0]}")
    transport = Transport(Place("c-1", me), Raising(), tls=client_context(files), rng=random.Random(1))

    async def run() -> None:
        port = int(me.address.rpartition(":")[2])
        door = listening(transport, "127.0.0.1", port, server_context(files))
        async with transport, door, node("n2", pki.good("n2")) as two:
            two.transport.set_peers({me.id: me.address})
            await until(lambda: two.transport.send(me.id, TimeoutNow(1)))
            await asyncio.Event().wait()

    with pytest.raises(BaseExceptionGroup) as failure:
        async with asyncio.timeout(60):
            await run()
    assert failure.group_contains(DiskFullError)


async def test_who_dials_with_a_renewed_certificate_is_heard_again(pki: Pki) -> None:
    async with node("n1", pki.good("n1")) as one, node("n3", pki.expired("n3")) as three:
        three.meet(one)
        await until(lambda: one.counters.refused.get("raft.tls", 0) > 1)
        three.transport.renew(client_context(pki.good("n3")))
        await until(lambda: three.reaches(one))
        await passes(three, one)


async def test_of_too_many_handshakes_the_one_that_takes_longest_makes_room(pki: Pki) -> None:
    patient = TransportSettings(dial_timeout_s=3600)
    async with node("n1", pki.good("n1"), settings=patient) as one, AsyncExitStack() as guests:
        mute = [await guests.enter_async_context(stranger(one, None)) for _ in range(256)]
        async with stranger(one, client_context(pki.good("n3"))) as guest:
            assert await guest.greet() == Welcome(1)
        await mute[0].ended()
        assert one.counters.refused == {"raft.busy": 1}
        assert not any(each.reader.at_eof() for each in mute[1:])


async def test_a_handshake_that_is_under_way_when_the_listener_ends_is_cut_off(pki: Pki) -> None:
    await _leave_a_handshake_half_done(pki)


def test_a_handshake_that_is_under_way_is_cut_off_on_uvloop_as_well(pki: Pki) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_leave_a_handshake_half_done(pki))


async def _leave_a_handshake_half_done(pki: Pki) -> None:
    patient = TransportSettings(dial_timeout_s=3600)
    async with AsyncExitStack() as guests:
        async with node("n1", pki.good("n1"), settings=patient) as one:
            mute = await guests.enter_async_context(stranger(one, None))
            async with stranger(one, client_context(pki.good("n3"))) as later:
                assert await later.greet() == Welcome(1)
            last = await guests.enter_async_context(stranger(one, None))
        await mute.ended()
        await last.ended()


@pytest.mark.parametrize("turns", range(6))
async def test_who_dials_at_the_moment_the_listener_ends_is_cut_off_and_not_forgotten(pki: Pki, turns: int) -> None:
    with socket.socket() as guest:
        guest.setblocking(False)
        async with node("n1", pki.good("n1")) as one:
            for _ in range(10):
                await asyncio.sleep(0)  # turns of the loop: by now it waits for somebody to dial
            host, _, port = one.member.address.rpartition(":")
            guest.connect_ex((host, int(port)))
            for _ in range(turns):
                await asyncio.sleep(0)
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.get_running_loop().sock_recv(guest, 1) == b""


def test_it_works_on_uvloop_as_well(pki: Pki) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def talk() -> None:
        async with pair(pki) as (one, _), node("n3", pki.expired("n3")) as three:
            three.meet(one)
            await until(lambda: one.counters.refused.get("raft.tls", 0) > 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())


def test_the_default_settings_leave_room_for_the_largest_command() -> None:
    settings = TransportSettings()
    assert settings.max_frame_bytes > 64 << 20
    assert settings.max_queue_bytes > settings.max_frame_bytes
    assert settings.idle_timeout_s >= 3 * settings.ping_interval_s
    assert QUICK.max_frame_bytes == settings.max_frame_bytes
