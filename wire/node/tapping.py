"""Taps of pipelines: samples of the records that pass, gathered from all nodes that run tasks of the pipeline.

Whoever taps asks those nodes again and again for what passes within a second. So there is nothing to clean up when
somebody goes, on whichever side.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import msgspec
import structlog
from msgspec import Raw, Struct

from wire.api import views
from wire.api.ports import Name
from wire.cluster.state import NodeName, PipelineKey
from wire.core.clock import Clock
from wire.core.errors import RefusedError, RetryableError
from wire.node.control.asking import Asking
from wire.node.control.gathering import Gathering
from wire.node.control.pipelines import require
from wire.node.rpc.messages import Caller, Method
from wire.node.supervisor import Supervisor
from wire.worker.masking import Shown
from wire.worker.protocol import Sample

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode

MOST_TAPS: Final = 10
_MOST_CALLS: Final = 4 * MOST_TAPS  # of other nodes, at once
_MOST_RECORDS: Final = 100  # in one answer, which then fits into a frame
_LOOK_S: Final = 1.0
_PAUSE_S: Final = 0.2
_ANSWER_S: Final = 5.0


class Looking(Struct, frozen=True):
    """Somebody wants to see so many records of a pipeline, of those that pass within `seconds`."""

    namespace: str
    name: str
    records: int
    seconds: float


class Looked(Struct, frozen=True):
    """What has passed."""

    samples: tuple[Sample, ...]


TAP: Final = Method("tap.look", Looking, Looked)


class LocalTaps:
    """Shows what passes on this node, to itself and to others."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Look at what its workers do."""
        self._supervisor = supervisor
        self._calls = 0

    async def look(self, asked: Looking) -> Looked:
        """Return what passes here now."""
        key = PipelineKey(asked.namespace, asked.name)
        records, seconds = min(asked.records, _MOST_RECORDS), min(asked.seconds, _LOOK_S)
        return Looked(tuple(await self._supervisor.tap(key, records, seconds)))

    async def answer(self, asked: Looking, _: Caller) -> Looked:
        """Answer another node. Raises RetryableError where too many ask already (I8)."""
        if self._calls >= _MOST_CALLS:
            raise RetryableError("api.too_many_taps", f"{self._calls} nodes look at records here already")
        self._calls += 1
        try:
            return await self.look(asked)
        finally:
            self._calls -= 1


class TapService:
    """A `wire.api.ports.Taps`."""

    def __init__(self, asking: Asking, gathering: Gathering, local: LocalTaps, clock: Clock) -> None:
        """Ask this node's workers by `local`."""
        self._asking = asking
        self._gathering = gathering
        self._local = local
        self._clock = clock
        self._open = 0

    @contextlib.asynccontextmanager
    async def tapping(self, name: Name, records: int, seconds: float) -> AsyncIterator[AsyncIterator[views.Sample]]:  # noqa: D102
        require(await self._asking.state("linearizable"), name)
        if self._open >= MOST_TAPS:
            hint = "wait until one of them ends, or ask another node"
            raise RefusedError("api.too_many_taps", f"{self._open} already look at records by this node", hint=hint)
        self._open += 1
        log.info("tap_begins", pipeline=f"{name.namespace}/{name.name}", records=records, seconds=seconds)
        try:
            async with contextlib.aclosing(self._samples(name, records, seconds)) as samples:
                yield samples
        finally:
            self._open -= 1

    async def _samples(self, name: Name, records: int, seconds: float) -> AsyncGenerator[views.Sample, None]:
        until_s = self._clock.monotonic() + seconds
        while records > 0 and (left_s := until_s - self._clock.monotonic()) > 0:
            found = await self._round(Looking(name.namespace, name.name, records, min(left_s, _LOOK_S)))
            for node, sample in found[:records]:
                yield _view(node, sample)
            records -= len(found)
            if not found:
                await self._clock.sleep(min(_PAUSE_S, max(0.0, until_s - self._clock.monotonic())))

    async def _round(self, asked: Looking) -> list[tuple[NodeName, Sample]]:
        """Ask all who run tasks of the pipeline now. Who does not answer has nothing to show."""
        owners = self._gathering.owners(PipelineKey(asked.namespace, asked.name))
        requests = dict.fromkeys(owners, asked)
        answers = await self._gathering.ask(TAP, requests, self._local.look, asked.seconds + _ANSWER_S)
        return [(node, each) for node, looked in answers.items() for each in looked.samples]


def _view(node: NodeName, sample: Sample) -> views.Sample:
    key, value = sample.key, sample.value
    return views.Sample(
        node=node,
        sink=sample.sink,
        source=sample.source,
        partition=sample.partition,
        offset=sample.offset,
        timestamp=_time(sample.ts_ms),
        key=_json(key),
        key_base64=_bytes(key),
        value=_json(value),
        value_base64=_bytes(value),
        truncated=any(each is not None and each.truncated for each in (key, value)),
    )


def _time(ts_ms: int) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromtimestamp(ts_ms / 1000, datetime.UTC)
    except (ValueError, OverflowError):  # a source says what it likes
        return None


def _json(shown: Shown | None) -> Raw | None:
    match shown:
        case Shown("json"):
            return Raw(shown.data)
        case Shown("cut"):
            return Raw(_encode(shown.data.decode()))
    return None


def _bytes(shown: Shown | None) -> bytes | None:
    return shown.data if shown is not None and shown.form == "bytes" else None
