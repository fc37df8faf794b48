"""Many learners in one process that keep nothing: `python -m benchmarks.consensus.stubs JSON`.

Each has an address, a certificate and connections of its own, and says that it has whatever it is sent. So the leader
does all that it does for learners, and the machine little else.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from benchmarks.clients import run
from tests.services.consensus import Seat
from wire.raft import Member, MemberId
from wire.raft.transport.handshake import Place
from wire.raft.transport.listener import listening
from wire.raft.transport.messages import Append, AppendReply, Message
from wire.raft.transport.ports import Admission
from wire.raft.transport.tls import client_context, server_context
from wire.raft.transport.transport import Transport

_POLL_S: Final = 0.05


class Start(msgspec.Struct):
    """Who the learners are, and whom they answer."""

    seats: list[Seat]
    voters: list[Member]


class Stub:
    """A learner."""

    def __init__(self, seat: Seat, rng: random.Random) -> None:
        """Begin without connections."""
        self.connected_to: set[MemberId] = set()
        self.transport = Transport(Place(seat.cluster, seat.member), self, tls=client_context(seat.tls), rng=rng)

    def admit(self, member: Member) -> Admission:
        """Hear everybody."""
        return Admission.KNOWN

    def receive(self, sender: MemberId, message: Message) -> None:
        """Say that everything is taken."""
        if isinstance(message, Append):
            matched = message.previous_index + len(message.entries)
            self.transport.send(sender, AppendReply(message.term, message.round, matched, True))

    def connected(self, peer: MemberId) -> None:
        """Remember it."""
        self.connected_to.add(peer)

    def disconnected(self, peer: MemberId) -> None:
        """Remember it."""
        self.connected_to.discard(peer)

    def refused(self, peer: MemberId, code: str, message: str) -> None:
        """Nothing to do: it is tried again."""


async def main(start: Start) -> None:
    """Be the learners until SIGTERM; the line `ready` says that all are connected to all voters."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    rng = random.Random()
    stubs = [Stub(seat, rng) for seat in start.seats]
    async with AsyncExitStack() as stack:
        for seat, stub in zip(start.seats, stubs, strict=True):
            await stack.enter_async_context(stub.transport)
            await stack.enter_async_context(listening(stub.transport, *seat.address, server_context(seat.tls)))
            stub.transport.set_peers({voter.id: voter.address for voter in start.voters})
        while not all(len(stub.connected_to) == len(start.voters) for stub in stubs):
            await asyncio.sleep(_POLL_S)
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Start)))
