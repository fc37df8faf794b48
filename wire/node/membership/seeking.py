"""Looks for members that have moved, while nobody leads: at the addresses that the operator names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from wire.core.clock import Clock
from wire.core.errors import WireError
from wire.node.calls import WHO, Who
from wire.node.control.forwarding import Dial
from wire.node.rpc.messages import Us
from wire.raft import RaftNode

log = structlog.get_logger()

_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 5.0  # several elections would have been over by then
_CALL_S: Final = 5.0
_SAY_S: Final = 20.0
_HINT: Final = "start the others; if they are reached at other addresses than before, name those with --join"


class Seeking:
    """Asks who is at each of the addresses, and has consensus reach members there.

    A leader tells all members where one has moved to. Where most have moved there is none: those who are reached by one
    that moved learn it from that; where all have moved, somebody has to say where.
    """

    def __init__(self, node: RaftNode, addresses: Sequence[str], us: Us, dial: Dial, clock: Clock) -> None:
        """Look at `addresses`."""
        self._node = node
        self._addresses = addresses
        self._us = us
        self._dial = dial
        self._clock = clock

    async def run(self) -> None:
        """Look whenever nobody has led for a while, until cancelled."""
        led_s = said_s = self._clock.monotonic()
        while True:
            await self._clock.sleep(_LOOK_S)
            now_s = self._clock.monotonic()
            if self._node.status().leader is not None:
                led_s = said_s = now_s
            elif now_s - led_s >= _PATIENCE_S:
                for address in self._addresses:
                    await self._look(address)
                if now_s - said_s >= _SAY_S:
                    said_s = now_s
                    self._tell(now_s - led_s)

    def _tell(self, for_s: float) -> None:
        trouble = self._node.trouble
        if trouble is None:
            log.warning("nobody_leads", for_s=round(for_s), hint=_HINT)
        else:  # with a full disk this node can't lead, whoever is there
            log.warning("nobody_leads", for_s=round(for_s), reason=trouble.message, hint=trouble.hint)

    async def _look(self, address: str) -> None:
        try:
            async with self._dial(address, None) as client:
                present = await client.call(WHO, Who(), timeout_s=_CALL_S)
        except WireError as exc:
            log.debug("nobody_found", address=address, code=exc.code, reason=exc.message)
            return
        if present.cluster == self._us.cluster and present.member.id != self._node.me.id:
            self._node.locate(present.member)
