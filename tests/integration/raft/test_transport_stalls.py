"""Peers that stop reading, stop answering, or never say anything: they are given up, and cost little until then."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import suppress

from tests.integration.raft.transport_kit import Pki, Stranger, impostor, member_id, node, pair, passes, stranger
from tests.waiting import until
from wire.raft.transport.framing import SIGN_OF_LIFE, framed
from wire.raft.transport.handshake import Welcome
from wire.raft.transport.handshake import encode as encode_greeting
from wire.raft.transport.messages import Propose, TimeoutNow
from wire.raft.transport.ports import TransportSettings
from wire.raft.transport.tls import client_context, server_context

MIB = 1 << 20


async def deaf(guest: Stranger) -> None:
    """Welcome somebody and read nothing any more."""
    await guest.say(framed(encode_greeting(Welcome(1))))
    guest.writer.transport.pause_reading()  # type: ignore[attr-defined]


async def mute(guest: Stranger) -> None:
    """Welcome somebody, read what comes, and say nothing any more."""
    await guest.say(framed(encode_greeting(Welcome(1))))
    await guest.ended()


async def test_a_peer_that_stops_reading_costs_a_bounded_queue_until_it_is_given_up(pki: Pki) -> None:
    settings = TransportSettings(
        max_queue_bytes=4 * MIB, write_timeout_s=1, backoff_initial_s=3600, backoff_max_s=3600, idle_timeout_s=3600
    )
    async with (
        pair(pki) as (one, _),
        impostor(server_context(pki.good("n2")), deaf) as address,
        node("n3", pki.good("n3"), settings=settings) as three,
    ):
        peer = member_id("n2")
        three.transport.set_peers({peer: address, one.id: one.member.address})
        await until(lambda: ("connected", peer) in three.handler.events and three.reaches(one))
        tracemalloc.start()
        piece = bytes(MIB)
        for number in range(1000):
            three.transport.send(peer, Propose(1, number, b"", piece))
            assert three.transport.queued_bytes(peer) <= 4 * MIB
            await asyncio.sleep(0)
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert used < 32 * MIB
        assert three.counters.dropped_queue_full > 0
        assert three.counters.dropped_queue_full + three.counters.dropped_unconnected > 900  # a slow machine gave it up
        await until(lambda: ("disconnected", peer) in three.handler.events)
        assert three.counters.stalled == 1
        assert three.transport.queued_bytes(peer) == 0
        await passes(three, one)


async def test_heartbeats_do_not_pile_up_for_a_peer_that_stops_reading(pki: Pki) -> None:
    settings = TransportSettings(max_queue_messages=50)
    async with (
        impostor(server_context(pki.good("n2")), deaf) as address,
        node("n3", pki.good("n3"), settings=settings) as three,
    ):
        three.transport.set_peers({member_id("n2"): address})
        await until(lambda: ("connected", member_id("n2")) in three.handler.events)
        sent = [three.transport.send(member_id("n2"), TimeoutNow(number)) for number in range(60)]
        assert sent == [True] * 50 + [False] * 10
        assert three.counters.dropped_queue_full == 10


async def test_a_peer_that_gives_no_sign_of_life_is_dialed_anew(pki: Pki) -> None:
    settings = TransportSettings(
        ping_interval_s=0.02, idle_timeout_s=0.2, backoff_initial_s=0.01, backoff_max_s=0.01, dial_timeout_s=30
    )
    async with (
        impostor(server_context(pki.good("n2")), mute) as address,
        node("n3", pki.good("n3"), settings=settings) as three,
    ):
        three.transport.set_peers({member_id("n2"): address})
        await until(lambda: three.counters.idled > 1)
        assert three.handler.events[:3] == [
            ("connected", member_id("n2")),
            ("disconnected", member_id("n2")),
            ("connected", member_id("n2")),
        ]


async def test_two_members_with_nothing_to_say_stay_connected(pki: Pki) -> None:
    settings = TransportSettings(ping_interval_s=0.05, idle_timeout_s=2)
    async with (
        node("n1", pki.good("n1"), settings=settings) as one,
        node("n2", pki.good("n2"), settings=settings) as two,
    ):
        one.meet(two)
        signs = 2 * settings.idle_timeout_s / settings.ping_interval_s
        await until(lambda: two.counters.received_bytes >= signs * len(SIGN_OF_LIFE))
        assert one.handler.events == [("connected", two.id)]
        assert two.counters.received == 0


async def test_a_connection_on_which_nothing_is_said_is_ended(pki: Pki) -> None:
    settings = TransportSettings(idle_timeout_s=0.2)
    async with (
        node("n1", pki.good("n1"), settings=settings) as one,
        stranger(one, client_context(pki.good("n3"))) as guest,
    ):
        assert await guest.greet() == Welcome(1)
        await guest.ended()
        assert one.counters.idled == 1


async def test_signs_of_life_are_answered_and_keep_a_connection_open(pki: Pki) -> None:
    async with (
        node("n1", pki.good("n1")) as one,
        stranger(one, client_context(pki.good("n3"))) as guest,
    ):
        assert await guest.greet() == Welcome(1)
        await guest.say(SIGN_OF_LIFE * 3)
        assert await guest.reader.readexactly(12) == SIGN_OF_LIFE * 3


async def test_who_takes_no_answers_is_not_answered_without_end(pki: Pki) -> None:
    settings = TransportSettings(write_timeout_s=0.2)
    async with (
        node("n1", pki.good("n1"), settings=settings) as one,
        stranger(one, client_context(pki.good("n3")), receive_buffer=4096) as guest,
    ):
        assert await guest.greet() == Welcome(1)
        guest.writer.transport.pause_reading()  # type: ignore[attr-defined]

        async def flood() -> None:
            while not one.counters.stalled:
                await guest.say(SIGN_OF_LIFE * 1000)

        with suppress(OSError):
            async with asyncio.timeout(60):
                await flood()
        await until(lambda: one.counters.stalled == 1)


async def test_who_says_no_hello_is_not_waited_for(pki: Pki) -> None:
    settings = TransportSettings(dial_timeout_s=0.3)
    async with pair(pki), node("n4", pki.good("n4"), settings=settings) as four:
        async with stranger(four, client_context(pki.good("n3"))) as guest:
            await guest.say(b"\x00\x00")
            await guest.ended()
        await until(lambda: four.counters.refused == {"raft.protocol_fault": 1})


async def test_who_does_not_answer_a_hello_is_not_waited_for(pki: Pki) -> None:
    settings = TransportSettings(dial_timeout_s=0.3, backoff_initial_s=0.01)
    async with (
        impostor(server_context(pki.good("n2")), lambda guest: guest.ended()) as address,
        node("n3", pki.good("n3"), settings=settings) as three,
    ):
        three.transport.set_peers({member_id("n2"): address})
        await until(lambda: three.counters.unreachable > 1)
        assert three.handler.events == []
