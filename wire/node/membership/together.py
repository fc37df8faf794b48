"""Blank nodes meet: each asks the others who they are, and does what `founding` says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final, assert_never

import structlog

from wire.core.clock import Clock
from wire.core.errors import WireError
from wire.node.calls import WHO, Who
from wire.node.data_dir import DataDir
from wire.node.membership.entering import Entrance, ask_all, begin_anew, found_with
from wire.node.membership.founding import Agree, Found, Join, Meeting, Renew, Resume, Standing, Step, Wait, Withdraw
from wire.node.membership.waiting import Trouble, Waiting
from wire.node.rpc.client import RpcClient
from wire.node.rpc.messages import Us
from wire.raft import Member
from wire.raft.threads import in_thread

log = structlog.get_logger()

_ANSWER_S: Final = 3.0
_PAUSE_S: Final = 0.5


def standing(data: DataDir, address: str, expect: int | None) -> Standing:
    """Return what this node says of itself: nothing that is not on its disk."""
    identity = data.identity
    return Standing(
        member=Member(identity.member, address),
        expect=expect,
        cluster=identity.cluster,
        agreed=identity.agreed,
        withdrawn=identity.withdrawn,
    )


class Together:
    """A node that is to found a cluster with the nodes at `peers`, or to join theirs if they have one."""

    def __init__(
        self,
        data: DataDir,
        entrance: Entrance,
        peers: list[str],
        expect: int,
        *,
        waiting: Waiting,
        clock: Clock,
        on_error: Callable[[Exception], None],
    ) -> None:
        """Be ready."""
        self._data = data
        self._entrance = entrance
        self._peers = peers
        self._expect = expect
        self._waiting = waiting
        self._clock = clock
        self._on_error = on_error
        self._clients: dict[str, RpcClient] = {}
        self._troubles: dict[str, Trouble] = {}

    async def found_or_join(self) -> str:
        """Return the cluster's id once this node belongs to it. Raises as `entering.join` does."""
        meeting = Meeting()
        async with AsyncExitStack() as stack:
            while True:
                for address in self._addresses():
                    if address not in self._clients:
                        client = RpcClient(
                            Us(self._data.identity.name), address, tls=self._entrance.tls, rng=self._entrance.rng
                        )
                        self._clients[address] = await stack.enter_async_context(client)
                answers = await self._round()
                me = standing(self._data, self._entrance.address, self._expect)
                cluster = await self._take(meeting.next_step(me, answers), answers)
                if cluster is not None:
                    return cluster

    def _addresses(self) -> set[str]:
        """Return whom to ask: all it was told of, and those it has agreed with."""
        agreed = {each.address for each in self._data.identity.agreed or ()}
        return {*self._peers, *agreed} - {self._entrance.address}

    async def _round(self) -> Mapping[str, Standing | None]:
        addresses = sorted(self._addresses())
        answers = await asyncio.gather(*(self._who(address) for address in addresses))
        return dict(zip(addresses, answers, strict=True))

    async def _who(self, address: str) -> Standing | None:
        try:
            answer = await self._clients[address].call(WHO, Who(), timeout_s=_ANSWER_S)
        except WireError as exc:
            self._troubles[address] = exc
            return None
        self._troubles[address] = None
        return answer

    async def _take(self, step: Step, answers: Mapping[str, Standing | None]) -> str | None:
        """Take a step, on disk when this returns; return the cluster once the node belongs to it."""
        match step:
            case Wait(met, reason):
                troubles = {address: self._troubles[address] for address in answers}
                self._waiting.tell(reason, troubles, met=met, expected=self._expect)
                await self._clock.sleep(_PAUSE_S)
            case Agree(members):
                await in_thread(self._data.agree, members)
                log.info("founding_agreed", members=[each.id for each in members])
            case Withdraw():
                await in_thread(self._data.withdraw)
                log.info("founding_withdrawn", reason="one of the nodes is another one now")
            case Resume():
                await in_thread(self._data.resume)
            case Renew():
                await in_thread(begin_anew, self._data)
                log.info("founding_begun_anew", member=self._data.identity.member)
            case Found(members):
                return await in_thread(found_with, self._data, members, self._on_error)
            case Join(cluster):
                return await self._join(cluster, answers)
            case _:
                assert_never(step)
        return None

    async def _join(self, cluster: str, answers: Mapping[str, Standing | None]) -> str | None:
        inside = [address for address, each in answers.items() if each is not None and each.cluster == cluster]
        joined, troubles = await ask_all(self._data, self._entrance, inside)
        if joined is None:
            self._waiting.tell(f"cluster {cluster} has not let it in", self._troubles | troubles)
            await self._clock.sleep(_PAUSE_S)
        return joined
