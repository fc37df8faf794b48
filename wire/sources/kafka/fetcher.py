"""Fetches ahead of the readers, from every broker at once, and no further than a bound (I8).

Why not `AIOKafkaConsumer`: it makes a Python object per record only to be thrown away (four times the cost of decoding
into ours), wakes every reader for every answer, and fetches nothing from a broker for up to 100 ms while any one of
its partitions has data waiting.
"""

from __future__ import annotations

import asyncio
import functools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import errors
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import REJECTED_HINT, SOURCE, reason, translate, translate_refusal
from wire.clients.kafka_offsets import Isolation
from wire.core.clock import Clock
from wire.core.errors import FatalError, RetryableError, WireError
from wire.sources.kafka.partition import Partition, position_lost

_IDLE_WAIT_MS: Final = 500  # how long a broker holds a request that finds nothing
_SHORT_WAIT_MS: Final = 20  # the same while a partition that is not in the request will soon want to be in the next
# While records flow, the broker gathers some before it answers: an answer for every batch of every producer costs the
# broker, us and the sink over twice the processor time (measured at 10,000 records/s), and it is the queueing for a
# processor that makes the slowest records slow.
_GATHER_BYTES: Final = 2048
_GATHER_WAIT_MS: Final = 2
_SETTLING_S: Final = 1.0  # after a partition was added, more are likely to follow
_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_MIN_SHARE: Final = 16 << 10
_MAX_SHARE: Final = 1 << 20
_MOVED: Final = (
    errors.KafkaStorageError,
    errors.LeaderNotAvailableError,
    errors.NotLeaderForPartitionError,
    errors.ReplicaNotAvailableError,
    errors.UnknownTopicOrPartitionError,
)

Wanted = dict[tuple[str, int], tuple[Partition, int]]
"""The partitions in a fetch, each with the offset from which."""


class Fetcher:
    """Keeps the open partitions filled, with little more than `prefetch` bytes for all of them together."""

    def __init__(self, cluster: KafkaCluster, isolation: Isolation, prefetch: int, clock: Clock) -> None:
        """Fetch from `cluster`; begins with the first partition that is added."""
        self._cluster = cluster
        self._isolation = isolation
        self._prefetch = prefetch
        self._clock = clock
        self._open: dict[tuple[str, int], Partition] = {}
        self._nodes: dict[int, asyncio.Event] = {}
        self._changed = asyncio.Event()
        # the source asks too, for new partitions: what it is told would otherwise leave the tasks here waiting for ever
        cluster.on_moved = self._changed.set
        self._stale = False
        self._settled_at = 0.0
        self._turn = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, partition: Partition) -> None:
        """Begin to fetch a partition."""
        partition.on_room = functools.partial(self._wake, partition)
        self._open[partition.topic, partition.number] = partition
        self._settled_at = self._clock.monotonic() + _SETTLING_S
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())  # noqa: TID251 (awaited in close)

    def remove(self, partition: Partition) -> None:
        """Fetch a partition no more. Idempotent."""
        if self._open.get((partition.topic, partition.number)) is partition:
            del self._open[partition.topic, partition.number]

    async def close(self) -> None:
        """Stop fetching. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await self._assign(group)
        except Exception as exc:
            # without this, a fault of ours would leave the readers waiting for ever
            hint = "report this: it is a fault of Wire's. Started again, the pipeline goes on from its last checkpoint"
            problem = FatalError("source.kafka.rejected", f"fetching has stopped: {exc!r}", hint=hint)
            self._report(self._open.values(), problem)
            raise

    async def _assign(self, group: asyncio.TaskGroup) -> None:
        """See to it that every open partition's leader is known and has a task that fetches from it."""
        failures = 0
        while True:
            self._changed.clear()
            if self._stale or self._leaderless():
                await self._find_leaders()
            for node in {self._leader(partition) for partition in self._open.values()}:
                if node is not None and node not in self._nodes:
                    self._nodes[node] = asyncio.Event()
                    group.create_task(self._serve(node, self._nodes[node]))
            for wake in self._nodes.values():
                wake.set()
            if self._stale or self._leaderless():
                failures = await _back_off(failures)
            else:
                failures = 0
                await self._changed.wait()

    async def _find_leaders(self) -> None:
        self._stale = False
        try:
            topics = await self._cluster.topics(sorted({partition.topic for partition in self._open.values()}))
        except WireError as exc:
            self._stale = True
            self._report(self._leaderless(), exc)
            return
        for partition in self._open.values():
            topic = topics.get(partition.topic)
            if topic is not None and partition.topic_id and topic.id and partition.topic_id != topic.id:
                partition.trouble(position_lost(partition.id, "the topic was deleted and created anew"), 0.0)
            elif self._leader(partition) is None:
                why = self._cluster.why_leaderless(partition.topic)
                self._report([partition], translate(why, SOURCE, f"looking for the leader of {partition.id}"))

    async def _serve(self, node: int, wake: asyncio.Event) -> None:
        """Fetch from one node for as long as there is room for what it may answer."""
        failures = 0
        flowing = False
        while True:
            wake.clear()  # before looking: what changes from here on is not missed
            wanted = self._wanted(node)
            if not wanted:
                await wake.wait()
                continue
            try:
                # the client gives up after REQUEST_TIMEOUT_MS by itself
                response = await self._cluster.client.send(node, self._request(node, wanted, flowing=flowing))
                refused = self._deliver(response, wanted)
                flowing = any(partition.next_fetch != offset for partition, offset in wanted.values())
            except (KafkaError, OSError) as exc:
                address = self._cluster.address(node)
                self._report([partition for partition, _ in wanted.values()], _failed(exc, address))
                self._look_again()
                refused = True
            failures = await _back_off(failures) if refused else 0

    def _wanted(self, node: int) -> Wanted:
        room = self._share() // 2
        found = [
            (key, (partition, partition.next_fetch))
            for key, partition in self._open.items()
            if partition.ahead < room and partition.fetchable and self._leader(partition) == node
        ]
        # a broker fills its answer in the order of the request: everyone is first once in a while
        self._turn = turn = (self._turn + 1) % max(len(found), 1)
        return dict(found[turn:] + found[:turn])

    def _request(self, node: int, wanted: Wanted, *, flowing: bool) -> FetchRequest:
        """Ask for what is wanted: at once, or gathered where the last answer brought records (`flowing`)."""
        share = self._share()
        by_topic: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for (topic, number), (_, offset) in wanted.items():
            by_topic[topic].append((number, offset, share))
        if flowing:
            wait_ms, min_bytes = _GATHER_WAIT_MS, _GATHER_BYTES
            return FetchRequest(wait_ms, min_bytes, self._prefetch, self._isolation, list(by_topic.items()))
        left_out = sum(p.fetchable and self._leader(p) == node for p in self._open.values()) > len(wanted)
        hurry = left_out or self._clock.monotonic() < self._settled_at
        wait_ms = _SHORT_WAIT_MS if hurry else _IDLE_WAIT_MS
        return FetchRequest(wait_ms, 1, self._prefetch, self._isolation, list(by_topic.items()))

    def _deliver(self, response: Any, wanted: Wanted) -> bool:
        """Hand out an answer; return whether any part of it was a refusal."""
        code = getattr(response, "error_code", 0)
        if code:
            raise for_code(code)()
        refused = False
        for topic, rows in response.topics:
            for number, code, highwater, *rest in rows:
                partition, offset = wanted[topic, number]
                if code:
                    refused = True
                    self._refuse(partition, offset, for_code(code)())
                elif self._isolation is Isolation.READ_COMMITTED:
                    aborted = rest[2] if response.API_VERSION >= 11 else rest[-2]
                    partition.add(rest[-1], offset, aborted or [], rest[0])
                else:
                    partition.add(rest[-1], offset, None, highwater)
        return refused

    def _refuse(self, partition: Partition, offset: int, error: KafkaError) -> None:
        doing = f"reading {partition.id}"
        if isinstance(error, errors.OffsetOutOfRangeError):
            detail = f"offset {offset} is not there: either retention has removed it, or the topic has lost its end"
            problem: WireError = position_lost(partition.id, detail)
        elif isinstance(error, _MOVED):
            self._cluster.forget_leader(partition.topic, partition.number)
            self._look_again()
            problem = translate(error, SOURCE, doing)
        else:
            fallback = RetryableError("source.kafka.rejected", f"{doing}: {reason(error)}", hint=REJECTED_HINT)
            problem = translate_refusal(error, SOURCE, doing) or fallback
        self._report([partition], problem)

    def _report(self, partitions: Iterable[Partition], problem: WireError) -> None:
        now = self._clock.monotonic()
        for partition in partitions:
            partition.trouble(problem, now)

    def _look_again(self) -> None:
        self._stale = True
        self._changed.set()

    def _wake(self, partition: Partition) -> None:
        node = self._leader(partition)
        if node in self._nodes:
            self._nodes[node].set()

    def _leaderless(self) -> list[Partition]:
        return [partition for partition in self._open.values() if self._leader(partition) is None]

    def _leader(self, partition: Partition) -> int | None:
        return self._cluster.leader(partition.topic, partition.number)

    def _share(self) -> int:
        """Return how many bytes one partition may be given by one fetch."""
        return min(max(self._prefetch // (2 * max(len(self._open), 1)), _MIN_SHARE), _MAX_SHARE)


def _failed(exc: BaseException, address: str) -> WireError:
    problem = translate(exc, SOURCE, f"fetching from {address}")
    if isinstance(problem, RetryableError):
        problem.hint = f"check that the broker is up, and that {address}, which it advertises, can be reached from here"
    return problem


async def _back_off(failures: int) -> int:
    await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
    return failures + 1
