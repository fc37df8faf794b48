"""What other members say to us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from typing import Final

import structlog

from wire.raft.transport.connection import Connection, LostError, SilentError, StalledError
from wire.raft.transport.framing import SIGN_OF_LIFE, Deframer, ProtocolError, framed
from wire.raft.transport.handshake import (
    MAX_GREETING_BYTES,
    Hello,
    Place,
    Refusal,
    Welcome,
    decode_hello,
    encode,
    judge,
)
from wire.raft.transport.messages import decode
from wire.raft.transport.ports import Admission, Handler, TransportCounters, TransportSettings, count
from wire.raft.types import Member, MemberId

log = structlog.get_logger()

_MOST_REMEMBERED: Final = 64


class Incoming:
    """The connections that others have dialed, one from each member: a new one takes the place of the one before.

    Each is listened to by a task of its own, which may be cancelled.
    """

    def __init__(
        self,
        us: Place,
        handler: Handler,
        settings: TransportSettings,
        counters: TransportCounters,
        *,
        secure: bool,
        heard: Callable[[MemberId], None],
    ) -> None:
        """Call `heard` when a member was welcomed. Only where it is not `secure` are certificates not asked for."""
        self._us = us
        self._handler = handler
        self._settings = settings
        self._counters = counters
        self._secure = secure
        self._heard = heard
        self._listening: dict[MemberId, tuple[Member, asyncio.Task[None] | None]] = {}
        self._told: set[tuple[str, str]] = set()

    async def serve(self, connection: Connection) -> None:
        """Introduce ourselves, then hand on what is said until the connection ends; it is closed in every case."""
        sender = ""
        try:
            hello = await self._greeted(connection)
            sender = hello.sender
            answer = judge(hello, self._us, self._names(connection), self._handler.admit)
            await connection.write(framed(encode(answer)))
            match answer:
                case Welcome():
                    await self._listen(connection, Member(hello.sender, hello.address))
                case Refusal(code=code, message=message):
                    self.refuse(connection.remote, sender, code, message)
        except ProtocolError as exc:
            self._counters.protocol_faults += 1
            self.refuse(connection.remote, sender, exc.code, exc.message)
        except SilentError:
            self._counters.idled += 1
        except StalledError:
            self._counters.stalled += 1
        except LostError:  # the side that dialed says that the connection is lost
            pass
        finally:
            await connection.close()

    def review(self) -> None:
        """Stop hearing those whom the handler does not admit any more."""
        for member, task in list(self._listening.values()):
            if task is not None and self._handler.admit(member) is not Admission.KNOWN:
                task.cancel()

    def refuse(self, remote: str, sender: str, code: str, reason: str) -> None:
        """Count somebody that is turned away, and say so unless it was the same sender for the same reason lately."""
        count(self._counters.refused, code)
        if (sender, code) in self._told:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told.add((sender, code))
        log.warning("raft_connection_refused", remote=remote, sender=sender, code=code, reason=reason)

    async def _greeted(self, connection: Connection) -> Hello:
        limit_s = self._settings.dial_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return decode_hello(await connection.read_frame(MAX_GREETING_BYTES))
        except TimeoutError:
            raise ProtocolError(f"no hello came within {limit_s:g} s") from None

    def _names(self, connection: Connection) -> Set[str] | None:
        """Return the names proven by a certificate; None only where none is asked for."""
        names = connection.certificate_names
        return frozenset() if names is None and self._secure else names

    async def _listen(self, connection: Connection, member: Member) -> None:
        before = self._listening.get(member.id)
        if before is not None and before[1] is not None:
            before[1].cancel()  # what it still holds is older than what comes now
        mine = self._listening[member.id] = (member, asyncio.current_task())
        self._told = {told for told in self._told if told[0] != member.id}
        self._counters.accepted += 1
        self._heard(member.id)
        try:
            await self._hand_on(connection, member.id)
        finally:
            if self._listening.get(member.id) is mine:
                del self._listening[member.id]

    async def _hand_on(self, connection: Connection, sender: MemberId) -> None:
        frames = Deframer(self._settings.max_frame_bytes)
        while True:
            chunk = await connection.read(self._settings.idle_timeout_s)
            self._counters.received_bytes += len(chunk)
            for payload in frames.feed(chunk):
                if payload:
                    message = decode(payload)
                    self._counters.received += 1
                    self._handler.receive(sender, message)
                else:
                    await connection.write(SIGN_OF_LIFE)
