"""Reads a partition from its beginning to its end, once: for topics that hold a table, not a stream."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import translate
from wire.clients.kafka_offsets import EARLIEST, LATEST, Isolation, list_offset
from wire.clients.kafka_records import Chunk
from wire.core.errors import RetryableError
from wire.core.records import Record

_SHARE: Final = 1 << 20
_WAIT_MS: Final = 20
_RETRY_S: Final = 0.1


async def read_table(
    cluster: KafkaCluster, topic: str, number: int, isolation: Isolation, patience_s: float
) -> dict[bytes, Record]:
    """Return the newest record of each key, of all that the partition held when this was called.

    With READ_COMMITTED transactions that are open are waited for, up to `patience_s`: then, and where no broker
    answers, RetryableError is raised; other WireErrors where one refuses. Tombstones are in the answer.
    """
    position = await list_offset(cluster, topic, number, EARLIEST, isolation) or 0
    end = await list_offset(cluster, topic, number, LATEST, Isolation.READ_UNCOMMITTED) or 0
    deadline = asyncio.get_running_loop().time() + patience_s
    table: dict[bytes, Record] = {}
    while position < end:
        before = position
        try:
            records, position = await _fetch(cluster, topic, number, position, isolation)
            table |= {record.key: record for record in records if record.key is not None}
        except (KafkaError, OSError) as exc:
            if isinstance(exc, KafkaError) and not exc.retriable:
                raise translate(exc, cluster.codes, f"reading {topic}/{number}") from exc
            await cluster.topics([topic])
        if position == before:
            if asyncio.get_running_loop().time() > deadline:
                message = (
                    f"{topic}/{number} could not be read to its end: an open transaction, or a broker, is in the way"
                )
                raise RetryableError(cluster.codes.unreachable, message, hint="it is tried again")
            await asyncio.sleep(_RETRY_S)
    return table


async def _fetch(
    cluster: KafkaCluster, topic: str, number: int, position: int, isolation: Isolation
) -> tuple[list[Record], int]:
    """Return some records from a position on, and where to go on behind them."""
    leader = cluster.leader(topic, number)
    if leader is None:
        raise cluster.why_leaderless(topic)
    request = FetchRequest(_WAIT_MS, 1, _SHARE, isolation, [(topic, [(number, position, _SHARE)])])
    response: Any = await cluster.send(leader, request)
    if getattr(response, "error_code", 0):
        raise for_code(response.error_code)()
    ((_, ((_, code, _, *rest),)),) = response.topics
    if code:
        raise for_code(code)()
    aborted = None
    if isolation is Isolation.READ_COMMITTED:
        aborted = (rest[2] if response.API_VERSION >= 11 else rest[-2]) or []
    chunk = Chunk(rest[-1], position, aborted)
    records: list[Record] = []
    while chunk.more():
        records += chunk.decode()
    return records, chunk.position
