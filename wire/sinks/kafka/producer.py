"""Gets record batches acknowledged by all in-sync replicas: once each, in order, in bounded time.

Why not `AIOKafkaProducer`: with idempotence on it repeats a batch for ever while a broker is away, its `stop` waits for
those batches, after a rejected batch its sequence numbers no longer fit, and a write passes four tasks on its way.
Here a batch whose fate is unknown is kept, and its fate is settled before anything newer is sent to its partition.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from aiokafka import errors
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.produce import ProduceRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import REJECTED_HINT, SINK, reason, translate, translate_refusal
from wire.core.errors import FatalError, RecordError, RetryableError, WireError
from wire.sinks.kafka.lane import Encoding, Lane, Target
from wire.sinks.kafka.session import Session

DELIVERY_TIMEOUT_S: Final = 30.0
_BROKER_TIMEOUT_MS: Final = 10_000  # how long the replicas may take; below the client's own REQUEST_TIMEOUT_MS
_BACKOFF_S: Final = (0.02, 0.1, 0.2, 0.5, 1.0)
_ALL: Final = -1

_TOO_LARGE: Final = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
_BAD_RECORD: Final = (errors.CorruptRecordException, errors.InvalidTimestampError)
_INVALID_RECORD: Final = 87  # unknown to aiokafka: the topic's own rules, such as a key on a compacted topic
_FORGOTTEN: Final = (
    errors.InvalidProducerEpoch,
    errors.InvalidProducerIdMapping,
    errors.InvalidTxnState,
    errors.OutOfOrderSequenceNumber,
    errors.UnknownProducerId,
)


class Producer:
    """Sends the lanes of one write at a time. Not for concurrent use: order rests on that."""

    def __init__(self, cluster: KafkaCluster, session: Session, max_bytes: int) -> None:
        """Send through `cluster` under a session's identity, in batches of at most `max_bytes` before compression."""
        self._cluster = cluster
        self._session = session
        self._max_bytes = max_bytes
        self._smaller: dict[str, int] = {}  # topics that turned out to take less than max_bytes
        self._unsettled: list[Lane] = []
        self._fatal: WireError | None = None

    async def deliver(self, lanes: Sequence[Lane], encoding: Encoding) -> None:
        """Return when every record of every lane has a verdict, or its lane a `problem` that has lasted too long.

        Raises FatalError when the brokers refuse, RestartError when a transaction is lost. After a cancellation or an
        error, what was under way is settled by the next call before it sends anything, so that a late arrival can't
        overtake.
        """
        unsettled = self._unsettled
        try:
            async with self._session.lock:
                await self._run(unsettled, encoding)
                for lane in unsettled:
                    if lane.problem is not None:
                        raise lane.problem
                await self._run(lanes, encoding)
                for lane in lanes:
                    if lane.problem is not None:
                        self._session.unknown(lane.problem)
        finally:
            self._unsettled = [lane.leftover() for lane in (*unsettled, *lanes) if lane.front is not None]

    async def _run(self, lanes: Sequence[Lane], encoding: Encoding) -> None:
        deadline = asyncio.get_running_loop().time() + DELIVERY_TIMEOUT_S
        pending, failures = lanes, 0
        while pending := [lane for lane in pending if not lane.done]:
            await self._round(pending, encoding)
            if self._fatal is not None:
                raise self._fatal
            troubled = [lane for lane in pending if lane.problem is not None]
            if not troubled:
                continue
            if asyncio.get_running_loop().time() > deadline:
                for lane in pending:  # what could have been sent, had there been time, is not written either
                    lane.problem = lane.problem or troubled[0].problem
                return
            await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            failures += 1
            await self._look_again(troubled)

    async def _round(self, lanes: Sequence[Lane], encoding: Encoding) -> None:
        """Send the front of every lane to the node that leads its partition, and learn what became of it."""
        if self._session.id is None:
            await self._session.renew()
            for lane in lanes:
                lane.front = None  # encoded under the identity that was lost
        await self._session.join(lane.target for lane in lanes)
        for lane in lanes:
            lane.problem = None
        by_node: defaultdict[int, list[Lane]] = defaultdict(list)
        for lane in lanes:
            leader = self._cluster.leader(*lane.target)
            if leader is None:
                self._stumble(lane, _trouble(self._cluster.why_leaderless(lane.target[0]), lane.target))
            elif self._fits(lane, encoding):
                by_node[leader].append(lane)
        if len(by_node) == 1:
            ((node, its),) = by_node.items()
            await self._send(node, its)
        else:
            async with asyncio.TaskGroup() as group:
                for node, its in by_node.items():
                    group.create_task(self._send(node, its))

    def _fits(self, lane: Lane, encoding: Encoding) -> bool:
        """Encode the front of a lane; records that are too large for any batch get their verdict right away."""
        limit = self._smaller.get(lane.target[0], self._max_bytes)
        while not lane.done:
            sent = lane.encode(self._session.stamp(lane.target), encoding, limit)
            if sent.count > 1 or sent.size <= self._max_bytes:
                return True
            lane.reject(_too_large(lane.target, sent.size, f"`max_request_size` is {self._max_bytes} bytes"))
        return False

    async def _send(self, node: int, lanes: Sequence[Lane]) -> None:
        by_target = {lane.target: lane for lane in lanes}
        topics: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for lane in lanes:
            if lane.front is not None:
                topics[lane.target[0]].append((lane.target[1], lane.front.raw))
        try:
            # the client gives up after REQUEST_TIMEOUT_MS by itself
            owner = self._session.transactional_id
            request = ProduceRequest(owner, _ALL, _BROKER_TIMEOUT_MS, list(topics.items()))
            response = await self._cluster.client.send(node, request)
        except (KafkaError, OSError) as exc:
            problem = translate(exc, SINK, f"writing to {self._cluster.address(node)}")
            for lane in lanes:
                self._stumble(lane, problem)
            return
        for topic, rows in response.topics:
            for number, code, *_ in rows:
                self._judge(by_target[topic, number], code)

    def _judge(self, lane: Lane, code: int) -> None:
        error = for_code(code) if code else None
        if error is None or error is errors.DuplicateSequenceNumber:
            self._session.taken(lane.target, lane.acknowledge())
        elif error in _TOO_LARGE:
            self._shrink(lane)
        elif error in _BAD_RECORD or code == _INVALID_RECORD:
            self._isolate(lane, error)
        elif error in _FORGOTTEN:
            # the brokers no longer know what came before; a new identity starts a new count
            self._fatal = self._fatal or self._session.forgotten(error())
            self._stumble(lane, _trouble(error(), lane.target))
        else:
            if error is errors.UnknownTopicOrPartitionError or error().invalid_metadata:
                self._cluster.forget_leader(*lane.target)
            self._stumble(lane, _trouble(error(), lane.target))

    def _shrink(self, lane: Lane) -> None:
        sent = lane.front
        if sent is None or sent.count == 1:
            lane.reject(_too_large(lane.target, sent.size if sent else 0, "the topic's `max.message.bytes` is less"))
        else:
            self._smaller[lane.target[0]] = sent.size // 2
            lane.front = None

    def _isolate(self, lane: Lane, error: type[KafkaError]) -> None:
        if lane.front is not None and lane.front.count > 1:
            lane.halve()
            return
        hint = "a topic with `cleanup.policy: compact` takes no record without a key; timestamps have limits too"
        why = "the topic's rules are broken" if error is errors.UnknownError else reason(error())
        message = f"{_name(lane.target)} does not take this record: {why}"
        lane.reject(RecordError("sink.kafka.record_refused", message, hint=hint))

    def _stumble(self, lane: Lane, problem: WireError) -> None:
        if isinstance(problem, FatalError):
            self._fatal = problem
        elif isinstance(problem, RetryableError):
            lane.problem = problem

    async def _look_again(self, lanes: Sequence[Lane]) -> None:
        try:
            await self._cluster.topics(sorted({lane.target[0] for lane in lanes}))
        except RetryableError as exc:
            for lane in lanes:
                lane.problem = exc


def _trouble(error: KafkaError, target: Target) -> WireError:
    doing = f"writing to {_name(target)}"
    refusal = translate_refusal(error, SINK, doing)
    if refusal is not None or error.retriable:
        return refusal or translate(error, SINK, doing)
    return RetryableError("sink.kafka.rejected", f"{doing}: {reason(error)}", hint=REJECTED_HINT)


def _too_large(target: Target, size: int, limit: str) -> RecordError:
    hint = "raise `max.message.bytes` of the topic and `max_request_size` of the sink, or make the record smaller"
    return RecordError(
        "sink.kafka.record_too_large", f"{size} bytes do not fit into {_name(target)}: {limit}", hint=hint
    )


def _name(target: Target) -> str:
    return f"{target[0]}/{target[1]}"
