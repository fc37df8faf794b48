"""What only the leader can do, asked for on any node: done here if this node leads, else by a call to who does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from wire.core.clock import Clock
from wire.core.errors import RefusedError, RetryableError, WireError
from wire.node.control.asking import Asking
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import A, Caller, Method, Q
from wire.node.rpc.server import Handler, RpcServer
from wire.raft import Member

Dial: TypeAlias = Callable[[str, str | None], RpcClient]
"""Makes a client for an address, and for the node of that name only, where one is given."""

_RETRY_S: Final = 0.1
_NOT_DONE: Final = (
    "raft.no_leader",
    "raft.not_leader",
    "raft.stopped",
    "rpc.unreachable",
    "rpc.untrusted_certificate",
    "rpc.certificate_refused",
    "rpc.unencrypted",
    "rpc.wrong_node",
    "rpc.busy",
)
"""Nothing has happened, and whoever leads next may do it."""
_PERHAPS_DONE: Final = ("rpc.lost", "rpc.timeout")


class Forwarding:
    """Finds the leader, and follows one that changes, for as long as there is time."""

    def __init__(self, asking: Asking, dial: Dial, clock: Clock) -> None:
        """Call others by `dial`."""
        self._asking = asking
        self._dial = dial
        self._clock = clock
        self._here: dict[str, tuple[Method[Any, Any], Callable[[Any], Awaitable[Any]]]] = {}

    def carry_out(self, method: Method[Q, A], here: Callable[[Q], Awaitable[A]]) -> None:
        """Learn how a method is carried out on the leader; `here` raises `raft.not_leader` elsewhere."""
        self._here[method.name] = method, here

    def answer(self, rpc: RpcServer) -> None:
        """Do for other members what they take this node for the leader for."""
        for method, here in self._here.values():
            rpc.handle(method, _without_caller(here))

    async def ask(self, method: Method[Q, A], request: Q) -> A:
        """Return what the leader answers, or raise what it raises.

        Raises RetryableError: `raft.no_leader` where none was found in time, and `cluster.outcome_unknown` where a
        leader was lost before it answered.
        """
        deadline = self._clock.monotonic() + self._asking.timeout_s
        while True:
            leader = self._asking.node.status().leader
            try:
                if leader is None:
                    raise RetryableError("raft.no_leader")
                return await self._ask(method, request, leader, deadline - self._clock.monotonic())
            except WireError as exc:
                if exc.code in _PERHAPS_DONE:
                    raise _unknown(exc) from exc
                if exc.code not in _NOT_DONE:
                    raise
                if self._clock.monotonic() + _RETRY_S >= deadline:
                    raise _nobody(exc, leader) from exc
            await self._clock.sleep(_RETRY_S)

    async def _ask(self, method: Method[Q, A], request: Q, leader: Member, left_s: float) -> A:
        if leader.id == self._asking.node.me.id:
            _, here = self._here[method.name]
            done: A = await here(request)
            return done
        try:
            async with self._dial(leader.address, leader.name) as client:
                return await client.call(method, request, timeout_s=left_s)
        except WireError as exc:
            if exc.code != "rpc.unknown_method":
                raise
            message = f"{leader.name}, which leads, runs an older release that can't be asked for this"
            hint = "upgrade all nodes, or ask for it when another one leads"
            raise RefusedError("cluster.version_not_enabled", message, hint=hint) from exc


def _without_caller(here: Callable[[Q], Awaitable[A]]) -> Handler[Q, A]:
    async def answered(request: Q, _: Caller) -> A:
        return await here(request)

    return answered


def _unknown(exc: WireError) -> RetryableError:
    message = f"whether this was carried out is not known: {exc.message}"
    hint = "look at the members before asking again"
    return RetryableError("cluster.outcome_unknown", message, after_s=1.0, hint=hint)


def _nobody(exc: WireError, leader: Member | None) -> RetryableError:
    message = "there is no leader at the moment"
    if leader is not None:
        message = f"{leader.name} is said to lead, and does not answer as a leader: {exc.message}"
    return RetryableError("raft.no_leader", message, after_s=1.0, hint="try again, or ask another node")
