"""What has become of pipelines' records: counted by the nodes that run their tasks, gathered when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import asdict

from wire.api import views
from wire.api.ports import Consistency, Name, Part
from wire.api.requests import MAX_LIMIT
from wire.cluster.state import NodeName, PipelineKey
from wire.core.clock import Clock
from wire.node.control.asking import Asking
from wire.node.control.gathering import Gathering
from wire.node.control.lists import part_of
from wire.node.control.pipelines import require
from wire.node.metrics.tally import Tally
from wire.node.rpc.messages import Caller, Method
from wire.node.supervisor import Supervisor
from wire.raft.threads import in_thread

_ANSWER_S: Final = 3.0
_MOST_ROUNDS: Final = 4


class Question(Struct, frozen=True):
    """Somebody wants to know what has become of these pipelines' records."""

    pipelines: Annotated[tuple[PipelineKey, ...], Meta(max_length=MAX_LIMIT)]


class Counted(Struct, frozen=True):
    """What a node that has been up for so long has counted of each of them, in their order."""

    uptime_ms: int
    figures: tuple[views.Figures, ...]


COUNTED: Final = Method("metrics.counted", Question, Counted)


class LocalFigures:
    """Tells what this node has counted, to itself and to others."""

    def __init__(self, tally: Tally, supervisor: Supervisor, clock: Clock) -> None:
        """Begin when the tally does."""
        self._tally = tally
        self._supervisor = supervisor
        self._clock = clock
        self._began_s = clock.monotonic()
        self._one = asyncio.Lock()  # I8: one at a time, as with a scrape

    async def look(self, asked: Question) -> Counted:
        """Return what was counted up to now."""
        async with self._one:
            uptime_ms = int((self._clock.monotonic() - self._began_s) * 1000)
            tell = self._tally.figures(asked.pipelines, self._supervisor.moving())
            return Counted(uptime_ms, tuple(await in_thread(tell)))

    async def answer(self, asked: Question, _: Caller) -> Counted:
        """Answer another node."""
        return await self.look(asked)


class FigureService:
    """A `wire.api.ports.Figures`."""

    def __init__(self, asking: Asking, gathering: Gathering, local: LocalFigures) -> None:
        """Ask this node by `local`."""
        self._asking = asking
        self._gathering = gathering
        self._local = local
        self._rounds = asyncio.Semaphore(_MOST_ROUNDS)  # I8: each has a connection to every node

    async def page(self, namespace: str, part: Part) -> views.Page[views.PipelineFigures]:  # noqa: D102
        state = await self._asking.state(part.consistency)
        keys = (key for key in state.pipelines if key.namespace == namespace)
        chosen = part_of(keys, part, key=lambda each: each.name, kind=str, view=lambda each: each)
        return views.Page(items=tuple(await self._gathered(chosen.items)), next=chosen.next)

    async def of(self, name: Name, consistency: Consistency) -> views.PipelineFigures:  # noqa: D102
        found = require(await self._asking.state(consistency), name)
        (figures,) = await self._gathered([found.key])
        return figures

    async def _gathered(self, keys: Sequence[PipelineKey]) -> list[views.PipelineFigures]:
        """Ask each node once, for those pipelines of which it runs tasks."""
        owners = {key: self._gathering.owners(key) for key in keys}
        asked: dict[NodeName, list[PipelineKey]] = {}
        for key, nodes in owners.items():
            for node in nodes:
                asked.setdefault(node, []).append(key)
        requests = {node: Question(tuple(theirs)) for node, theirs in asked.items()}
        async with self._rounds:
            answers = await self._gathering.ask(COUNTED, requests, self._local.look, _ANSWER_S)
        told: dict[PipelineKey, list[views.NodeFigures]] = {key: [] for key in keys}
        for node, counted in answers.items():
            for key, figures in zip(asked[node], counted.figures, strict=True):
                told[key].append(views.NodeFigures(**asdict(figures), node=node, uptime_ms=counted.uptime_ms))
        return [_added_up(key, told[key], [node for node in owners[key] if node not in answers]) for key in keys]


def _added_up(
    key: PipelineKey, nodes: Sequence[views.NodeFigures], unanswered: Sequence[NodeName]
) -> views.PipelineFigures:
    return views.PipelineFigures(
        name=key.name,
        namespace=key.namespace,
        received=sum(each.received for each in nodes),
        sent=sum(each.sent for each in nodes),
        filtered=sum(each.filtered for each in nodes),
        dead_lettered=sum(each.dead_lettered for each in nodes),
        skipped=sum(each.skipped for each in nodes),
        retried=sum(each.retried for each in nodes),
        shed=sum(each.shed for each in nodes),
        sinks_down=tuple(sorted({sink for each in nodes for sink in each.sinks_down})),
        lag_records=_known(sum, (each.lag_records for each in nodes)),
        lag_bytes=_known(sum, (each.lag_bytes for each in nodes)),
        lag_ms=_known(max, (each.lag_ms for each in nodes)),
        nodes=tuple(sorted(nodes, key=lambda each: each.node)),
        unanswered=tuple(unanswered),
    )


def _known(of: Callable[[list[int]], int], values: Iterable[int | None]) -> int | None:
    """Return what those that are known come to, None where none is."""
    known = [each for each in values if each is not None]
    return of(known) if known else None
