"""One connection on which calls are made, while it lasts."""

from __future__ import annotations

import asyncio

from wire.core.errors import RetryableError
from wire.node.rpc.messages import Answer, Failure, decode_answer
from wire.node.rpc.settings import RpcSettings
from wire.node.rpc.voice import Voice
from wire.raft.transport.connection import Connection, LostError
from wire.raft.transport.framing import SIGN_OF_LIFE, Deframer, ProtocolError


class Link:
    """Sends calls and hears the answers. `run` must run while it is used."""

    def __init__(self, connection: Connection, address: str, settings: RpcSettings) -> None:
        """Use a connection that was welcomed."""
        self.is_up = True
        self._connection = connection
        self._address = address
        self._settings = settings
        self._voice = Voice(connection)
        self._waiting: dict[int, asyncio.Future[Answer | Failure]] = {}

    async def call(self, number: int, frame: bytes) -> Answer | Failure:
        """Return what a call comes to. Raises RetryableError (`rpc.lost`, `rpc.busy`)."""
        if len(self._waiting) >= self._settings.max_calls:
            raise RetryableError("rpc.busy", f"{len(self._waiting)} calls to {self._address} are under way")
        if not self.is_up:
            raise self._lost("it was closed")
        answered: asyncio.Future[Answer | Failure] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        try:
            await self._voice.say(frame)
            return await answered
        except LostError as exc:
            raise self._lost(str(exc)) from exc
        finally:
            self._waiting.pop(number, None)
            if answered.done() and not answered.cancelled():
                answered.exception()  # it may have come while we gave up

    async def run(self) -> None:
        """Hear answers until the connection breaks, or it says something wrong, or this is cancelled."""
        reason = "it was closed"
        ping = asyncio.get_running_loop().create_task(self._ping())
        try:
            await self._hear()
        except (LostError, ProtocolError) as exc:
            reason = str(exc)
        finally:
            self.is_up = False
            ping.cancel()
            for answered in self._waiting.values():
                if not answered.done():
                    answered.set_exception(self._lost(reason))
            try:
                await asyncio.gather(ping, return_exceptions=True)
            finally:
                await self._connection.close()

    async def _hear(self) -> None:
        frames = Deframer(self._settings.max_frame_bytes)
        while True:
            for payload in frames.feed(await self._connection.read(self._settings.idle_timeout_s)):
                if payload:
                    answer = decode_answer(payload)
                    answered = self._waiting.get(answer.number)  # nobody waits for it if it came too late
                    if answered is not None and not answered.done():
                        answered.set_result(answer)

    async def _ping(self) -> None:
        """Give signs of life, which are answered: a connection on which nothing is heard is lost."""
        while True:
            try:
                await self._voice.say(SIGN_OF_LIFE)
            except LostError:
                return
            await asyncio.sleep(self._settings.ping_interval_s)

    def _lost(self, reason: str) -> RetryableError:
        return RetryableError("rpc.lost", f"the connection to {self._address} was lost: {reason}")
