"""A node's lease, renewed with whoever leads; and how it is given back."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from wire.core.clock import Clock
from wire.core.errors import RetryableError, WireError
from wire.core.timings import Timings
from wire.node.calls import GIVE_UP, RENEW, Renewal
from wire.node.leading import Leading
from wire.node.leases import LEASE_MS, OwnLease, awake
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import Us
from wire.raft import Member, RaftNode

log = structlog.get_logger()

EVERY_S: Final = LEASE_MS / 1000 / 4
_RETRY_S: Final = 0.2
_CONFIRM_S: Final = LEASE_MS / 1000 - EVERY_S  # a disk may be slow; what comes later is of no use


class Renewing:
    """Tells the leader again and again that this node is there, itself without a connection."""

    def __init__(
        self,
        us: Us,
        node: RaftNode,
        leading: Leading,
        lease: OwnLease,
        *,
        tls: Callable[[], ssl.SSLContext] | None,
        renewed: Callable[[], None],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Renew `lease`; `renewed` is told of each time."""
        self._us = us
        self._node = node
        self._leading = leading
        self._lease = lease
        self._tls = tls
        self._renewed = renewed
        self._clock = clock
        self._rng = rng
        self.delays = Timings()
        """How late renewals were: from when each was due until it was confirmed."""
        self._due_s: float | None = None
        self._calling = asyncio.Lock()
        self._given_up = False

    async def run(self, able: asyncio.Event) -> None:
        """Do so until cancelled, or given up; but not before this node is `able` to work: tasks would come and wait.

        Nor while its disk is full: it can't commit what it does then, and others are to have its tasks.
        """
        await able.wait()
        while not self._given_up:
            whom = self._whom()
            if self._node.trouble is not None:
                await self._clock.sleep(_RETRY_S)
            elif whom is None or whom.id == self._node.me.id:
                await self._renew_here()
            else:
                async with self._client_of(whom) as client:
                    await self._renew_with(client, whom)

    async def give_up(self, timeout_s: float) -> None:
        """Renew no more, and tell whoever leads, or comes to lead within the time, that this node has stopped its work.

        Raises nothing. Not before leadership is handed over: the next leader takes everybody for alive when it begins.
        """
        self._given_up = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._calling:  # a renewal that is under way must not come later
                while not await self._tell_leader(timeout_s):
                    await self._clock.sleep(_RETRY_S)

    async def _tell_leader(self, timeout_s: float) -> bool:
        """Give the lease up with the leader there is, and return whether it knows."""
        leader, request = self._node.status().leader, Renewal(self._node.me)
        if leader is None:
            return False
        try:
            if leader.id == self._node.me.id:
                self._leading.give_up(request.member)
            else:
                async with self._client_of(leader) as client:
                    await client.call(GIVE_UP, request, timeout_s=timeout_s)
        except WireError as exc:
            log.debug("lease_not_given_up", leader=leader.id, code=exc.code, reason=exc.message)
            return False
        log.info("lease_given_up", leader=leader.id)
        return True

    def _whom(self) -> Member | None:
        """Return the leader. While none is known, some other member: it may be that the leader does not find us."""
        leader = self._node.status().leader
        if leader is not None:
            return leader
        others = [each for each in self._node.members().voters if each.id != self._node.me.id]
        return self._rng.choice(others) if others else None

    def _client_of(self, whom: Member) -> RpcClient:
        return RpcClient(self._us, whom.address, name=whom.name, tls=self._tls, rng=self._rng)

    async def _renew_here(self) -> None:
        """Renew with ourselves, once the others say that we lead: who was stopped for a while may only believe so."""
        sent = awake()
        try:
            if not await self._node.read_barrier(_CONFIRM_S):
                raise RetryableError("raft.not_leader", "nobody has said in time that this node leads")
            self._leading.renew(self._node.me)
        except RetryableError as exc:
            log.debug("lease_not_renewed", leader=self._node.me.id, code=exc.code, reason=exc.message)
            await self._clock.sleep(_RETRY_S)
            return
        self._take(sent)
        await self._clock.sleep(EVERY_S)

    async def _renew_with(self, client: RpcClient, whom: Member) -> None:
        """Renew with a member, once and then for as long as it leads."""
        while not self._given_up:
            sent = awake()
            try:
                async with self._calling:
                    await client.call(RENEW, Renewal(self._node.me, self._node.moved()), timeout_s=EVERY_S)
            except WireError as exc:
                log.debug("lease_not_renewed", leader=whom.id, code=exc.code, reason=exc.message)
                await self._clock.sleep(_RETRY_S)
            else:
                self._take(sent)
                await self._clock.sleep(EVERY_S)
            if self._node.status().leader != whom or self._node.trouble is not None:
                return

    def _take(self, sent: int) -> None:
        now_s = self._clock.monotonic()
        if self._due_s is not None:
            self.delays.observe(now_s - self._due_s)
        self._due_s = now_s + EVERY_S
        had = self._lease.left_ms(awake())
        self._lease.renewed(sent)
        if not had:
            self._renewed()
