"""What only those know who run the tasks of a pipeline: asked of all of them at once, by whichever node is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from wire.cluster.state import DISCOVERY, NodeName, PipelineKey
from wire.core.errors import WireError
from wire.node.control import describing
from wire.node.control.asking import Asking
from wire.node.control.forwarding import Dial
from wire.node.rpc.messages import A, Method, Q

log = structlog.get_logger()


class Gathering:
    """Asks nodes, this one without a call. Between two questions it keeps nothing: no connection, no task."""

    def __init__(self, asking: Asking, dial: Dial) -> None:
        """Call others by `dial`."""
        self._asking = asking
        self._dial = dial

    def owners(self, key: PipelineKey) -> list[NodeName]:
        """Return who runs tasks of a pipeline that move records, as far as this node knows, by name."""
        tasks = describing.tasks_of(self._asking.known, key)
        return sorted({each.owner for each in tasks if each.owner is not None and each.key.slot != DISCOVERY})

    async def ask(
        self, method: Method[Q, A], requests: Mapping[NodeName, Q], here: Callable[[Q], Awaitable[A]], timeout_s: float
    ) -> dict[NodeName, A]:
        """Return what nodes answer, each to its own request; who does not within `timeout_s` is left out.

        `here` answers for this node, and may raise.
        """

        async def one(node: NodeName, request: Q) -> A | None:
            if node == self._asking.node.me.name:
                return await here(request)
            member = next((each for each in self._asking.node.members().members if each.name == node), None)
            if member is None:
                return None
            try:
                async with self._dial(member.address, node) as client:
                    return await client.call(method, request, timeout_s=timeout_s)
            except WireError as exc:  # the others go on
                log.debug("node_not_answered", to=node, method=method.name, code=exc.code, reason=exc.message)
                return None

        answers = await asyncio.gather(*(one(node, request) for node, request in requests.items()))
        return {node: answer for node, answer in zip(requests, answers, strict=True) if answer is not None}
