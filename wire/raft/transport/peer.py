"""The way to one other member."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Final

import structlog

from wire.core.errors import WireError
from wire.raft.transport.connection import Connection, LostError, SilentError, StalledError
from wire.raft.transport.dialing import Dialer, ImpostorError, TurnedAwayError
from wire.raft.transport.framing import SIGN_OF_LIFE, Deframer, ProtocolError
from wire.raft.transport.outbox import Outbox
from wire.raft.transport.ports import Handler, TransportCounters, TransportSettings, count
from wire.raft.types import Member

log = structlog.get_logger()

_TOGETHER: Final = 1 << 18  # what is written at once, if it is there


class Peer:
    """One connection that we dial, again and again, and on which we only send.

    The peer answers signs of life and nothing else; one that answers none or takes nothing any more is given up and
    dialed anew. The wait between two attempts grows, with full jitter, until a connection has lasted.
    """

    def __init__(
        self,
        member: Member,
        dialer: Dialer,
        handler: Handler,
        settings: TransportSettings,
        counters: TransportCounters,
        rng: random.Random,
    ) -> None:
        """Do nothing until `run`."""
        self.member = member
        self._dialer = dialer
        self._handler = handler
        self._settings = settings
        self._counters = counters
        self._rng = rng
        self._outbox = Outbox(max_frames=settings.max_queue_messages, max_bytes=settings.max_queue_bytes)
        self._woken = asyncio.Event()
        self._ceiling_s = settings.backoff_initial_s
        self._unanswered_since: float | None = None
        self._trouble = ""

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent."""
        return self._outbox.size

    def send(self, frame: bytes) -> bool:
        """Queue a frame, or drop and count it."""
        if self._outbox.put(frame):
            return True
        if self._outbox.is_open:
            self._counters.dropped_queue_full += 1
        else:
            self._counters.dropped_unconnected += 1
        return False

    def wake(self) -> None:
        """Dial at once if a wait is under way: the peer was heard."""
        self._woken.set()

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        while True:
            self._woken.clear()
            try:
                connection = await self._dialer.dial(self.member)
            except (OSError, WireError) as exc:
                self._failed(exc)
            else:
                await self._use(connection)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rng.uniform(0, self._ceiling_s)):
                    await self._woken.wait()
            self._ceiling_s = min(self._ceiling_s * 2, self._settings.backoff_max_s)

    async def _use(self, connection: Connection) -> None:
        """Send until the connection breaks."""
        began = asyncio.get_running_loop().time()
        self._trouble = ""
        self._unanswered_since = None
        self._counters.dialed += 1
        log.info("raft_peer_connected", peer=self.member.id, address=self.member.address)
        self._outbox.open()
        try:
            self._handler.connected(self.member.id)
            await _first_of(self._hear(connection), self._pump(connection))
        except (LostError, ProtocolError) as exc:
            self._lost(exc)
        finally:
            self._outbox.close()
            self._handler.disconnected(self.member.id)
            await connection.close()
        if asyncio.get_running_loop().time() - began > self._settings.backoff_max_s:
            self._ceiling_s = self._settings.backoff_initial_s

    async def _pump(self, connection: Connection) -> None:
        """Write what is in the outbox as it comes, and signs of life at their time."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        timer = loop.call_at(due, self._outbox.nudge)  # one for each sign of life, not one for each wait
        try:
            while True:
                await self._outbox.filled()
                if loop.time() >= due:
                    due = loop.time() + self._settings.ping_interval_s
                    timer = loop.call_at(due, self._outbox.nudge)
                    await self._ping(connection)
                await self._write(connection, self._outbox.take(_TOGETHER))
        finally:
            timer.cancel()

    async def _write(self, connection: Connection, frames: Sequence[bytes]) -> None:
        if frames:
            data = b"".join(frames)
            await connection.write(data)
            self._counters.sent += len(frames)
            self._counters.sent_bytes += len(data)

    async def _ping(self, connection: Connection) -> None:
        """Give a sign of life, unless one was not answered for too long: then nobody listens at the other end."""
        now = asyncio.get_running_loop().time()
        if self._unanswered_since is None:
            self._unanswered_since = now
        elif now - self._unanswered_since >= self._settings.idle_timeout_s:
            raise SilentError(f"nothing was heard for {self._settings.idle_timeout_s:g} s")
        await connection.write(SIGN_OF_LIFE)

    async def _hear(self, connection: Connection) -> None:
        """Take signs of life, and notice when the other side closes."""
        frames = Deframer(0)
        while True:
            frames.feed(await connection.read(None))
            self._unanswered_since = None

    def _lost(self, exc: LostError | ProtocolError) -> None:
        match exc:
            case StalledError():
                self._counters.stalled += 1
            case SilentError():
                self._counters.idled += 1
            case ProtocolError():
                self._counters.protocol_faults += 1
                count(self._counters.refused, exc.code)
        log.warning("raft_peer_disconnected", peer=self.member.id, address=self.member.address, reason=str(exc))

    def _failed(self, exc: OSError | WireError) -> None:
        """Count an attempt that failed, and say why unless it is for the same reason as the one before."""
        match exc:
            case TurnedAwayError():
                count(self._counters.refusals, exc.code)
                self._handler.refused(self.member.id, exc.code, exc.message)
            case ImpostorError():
                count(self._counters.refused, exc.code)
            case ProtocolError():
                self._counters.protocol_faults += 1
                count(self._counters.refused, exc.code)
            case ssl.SSLCertVerificationError():
                count(self._counters.refused, "raft.tls")
            case ssl.SSLError() | LostError(__cause__=ssl.SSLError()):
                count(self._counters.refusals, "raft.tls")
            case _:
                self._counters.unreachable += 1
        if str(exc) != self._trouble:
            self._trouble = str(exc)
            log.warning("raft_peer_unreachable", peer=self.member.id, address=self.member.address, reason=str(exc))


async def _first_of(*work: Coroutine[None, None, None]) -> None:
    """Do all at once until the first is done or has raised, and end the others.

    Not a TaskGroup: before Python 3.13 it forgets that it was cancelled if one of its tasks raises meanwhile.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    done.pop().result()
