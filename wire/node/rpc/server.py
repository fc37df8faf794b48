"""Answers calls of other nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec
import structlog
from msgspec import Raw, Struct

from wire.core.errors import RetryableError, WireError
from wire.core.timings import Timings
from wire.node.rpc.messages import (
    MAX_GREETING_BYTES,
    A,
    Answer,
    Call,
    Caller,
    Failure,
    Hello,
    Method,
    Q,
    Refusal,
    Us,
    Welcome,
    decode_call,
    decode_hello,
    encode,
    judge,
)
from wire.node.rpc.settings import RpcCounters, RpcSettings
from wire.node.rpc.voice import Voice
from wire.raft.transport.connection import Connection, LostError
from wire.raft.transport.framing import HEADER_SIZE, SIGN_OF_LIFE, Deframer, ProtocolError, framed
from wire.raft.transport.ports import count

log = structlog.get_logger()

Handler: TypeAlias = Callable[[Q, Caller], Awaitable[A]]
"""Answers a request. What it raises from the error tree is raised where the call was made, anything else is hidden."""

_MOST_REMEMBERED: Final = 64


class _Handled(Struct, frozen=True):
    method: Method[Any, Any]
    handler: Handler[Any, Any]
    requests: msgspec.msgpack.Decoder[Any]


class RpcServer:
    """Takes connections of other nodes and answers their calls.

    Who calls must have proven its name by a certificate where there are any. Members may call everything, strangers
    only what is `for_strangers`; who is a member is asked for each call, so that a removal counts at once.
    """

    def __init__(
        self, us: Us, is_member: Callable[[Caller], bool], *, secure: bool, settings: RpcSettings | None = None
    ) -> None:
        """Be `us`, which may get its cluster later. Only where it is not `secure` are certificates not asked for."""
        self.counters = RpcCounters()
        self._us = us
        self._is_member = is_member
        self._secure = secure
        self._settings = settings or RpcSettings()
        self._handled: dict[str, _Handled] = {}
        self._told: set[tuple[str, str]] = set()

    def handle(self, method: Method[Q, A], handler: Handler[Q, A]) -> None:
        """Answer a method. It may be called several times at once, and is cancelled when nobody waits any more."""
        self._handled[method.name] = _Handled(method, handler, msgspec.msgpack.Decoder(method.asks))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer calls until the connection ends; it is closed in every case. Whatever comes, this does not raise."""
        connection = Connection(reader, writer, write_timeout_s=self._settings.write_timeout_s)
        sender = ""
        try:
            hello = await self._greeted(connection)
            sender = hello.sender
            names = connection.certificate_names
            greeting = judge(hello, self._us, frozenset() if names is None and self._secure else names)
            await connection.write(framed(encode(greeting)))
            match greeting:
                case Welcome():
                    self.counters.connections += 1
                    caller = Caller(hello.sender, hello.cluster, connection.remote)
                    await _Conversation(self._answer, connection, caller, self._settings).run()
                case Refusal(code=code, message=message):
                    self._refuse(connection.remote, sender, code, message)
        except ProtocolError as exc:
            self._refuse(connection.remote, sender, "rpc.protocol_fault", exc.message)
        except LostError:  # the side that dialed says that the connection is lost
            pass
        finally:
            await connection.close()

    async def _greeted(self, connection: Connection) -> Hello:
        limit_s = self._settings.dial_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return decode_hello(await connection.read_frame(MAX_GREETING_BYTES))
        except TimeoutError:
            raise ProtocolError(f"no hello came within {limit_s:g} s") from None

    def _refuse(self, remote: str, sender: str, code: str, reason: str) -> None:
        """Count a connection that is turned away, and say so unless it was the same sender for the same reason."""
        count(self.counters.refused, code)
        if (sender, code) in self._told:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told.add((sender, code))
        log.warning("rpc_connection_refused", remote=remote, sender=sender, code=code, reason=reason)

    async def _answer(self, call: Call, caller: Caller) -> Answer | Failure:
        """Do what is asked and return what came of it. Never raises, except when it is cancelled."""
        self.counters.calls += 1
        limit_s = min(call.timeout_ms / 1000, self._settings.longest_call_s)
        try:
            async with asyncio.timeout(limit_s):
                result = await self._do(call, caller)
                return Answer(call.number, Raw(encode(result)))
        except WireError as exc:
            return self._failed(call, exc.code, exc.message, exc)
        except TimeoutError:
            return self._failed(call, "rpc.timeout", f"{call.method} took longer than {limit_s:g} s")
        except Exception:
            log.exception("rpc_call_failed", method=call.method, sender=caller.name)
            return self._failed(call, "rpc.failed", f"{call.method} failed on {self._us.name}, whose log says why")

    async def _do(self, call: Call, caller: Caller) -> Struct:
        handled = self._handled.get(call.method)
        if handled is None:
            raise WireError("rpc.unknown_method", f"{self._us.name} does not know {call.method}")
        if not handled.method.for_strangers and not self._is_member(caller):
            raise WireError("rpc.members_only", f"{caller.name} is no member of the cluster")
        try:
            request = handled.requests.decode(call.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            raise WireError("rpc.protocol_fault", f"this is no request for {call.method}: {exc}"[:1024]) from exc
        began = asyncio.get_running_loop().time()
        try:
            answer: Struct = await handled.handler(request, caller)
        finally:
            timings = self.counters.answered.setdefault(call.method, Timings())
            timings.observe(asyncio.get_running_loop().time() - began)
        return answer

    def _failed(self, call: Call, code: str, message: str, exc: WireError | None = None) -> Failure:
        count(self.counters.failures, code)
        after_ms = int(exc.after_s * 1000) if isinstance(exc, RetryableError) else None
        hint = None if exc is None or exc.hint is None else exc.hint[:4096]
        return Failure(call.number, code, message[:4096], hint, after_ms)


class _Conversation:
    """The calls of one connection."""

    def __init__(
        self,
        answer: Callable[[Call, Caller], Awaitable[Answer | Failure]],
        connection: Connection,
        caller: Caller,
        settings: RpcSettings,
    ) -> None:
        self._answer = answer
        self._connection = connection
        self._caller = caller
        self._settings = settings
        self._voice = Voice(connection)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer calls until the connection is lost or something is wrong with what it says, which is raised."""
        ended: LostError | ProtocolError | None = None
        async with asyncio.TaskGroup() as group:
            try:
                await self._hear(group)
            except (LostError, ProtocolError) as exc:
                ended = exc
            finally:
                for task in self._under_way:  # nobody waits for them any more
                    task.cancel()
        if ended is not None:
            raise ended

    async def _hear(self, group: asyncio.TaskGroup) -> None:
        frames = Deframer(self._settings.max_frame_bytes)
        while True:
            for payload in frames.feed(await self._connection.read(self._settings.idle_timeout_s)):
                if not payload:
                    await self._voice.say(SIGN_OF_LIFE)
                    continue
                call = decode_call(payload)
                if len(self._under_way) >= self._settings.max_calls:
                    busy = f"{len(self._under_way)} calls are under way on this connection"
                    await self._voice.say(framed(encode(Failure(call.number, "rpc.busy", busy, after_ms=100))))
                else:
                    task = group.create_task(self._serve(call))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)

    async def _serve(self, call: Call) -> None:
        frame = framed(encode(await self._answer(call, self._caller)))
        if len(frame) > HEADER_SIZE + self._settings.max_frame_bytes:
            message = f"the answer to {call.method} has {len(frame)} bytes"
            frame = framed(encode(Failure(call.number, "rpc.too_large", message)))
        with contextlib.suppress(LostError):
            await self._voice.say(frame)
