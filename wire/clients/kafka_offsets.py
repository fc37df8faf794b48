"""Where a partition begins and ends."""

from __future__ import annotations

import asyncio
import enum
from typing import Final

from aiokafka import errors
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.offset import OffsetRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import translate

EARLIEST: Final = -2
LATEST: Final = -1
_ATTEMPTS_S: Final = 8.0
_RETRY_S: Final = 0.1


class Isolation(enum.IntEnum):
    """Which records of transactions are seen; the numbers are the protocol's."""

    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1


async def list_offset(cluster: KafkaCluster, topic: str, number: int, at: int, isolation: Isolation) -> int | None:
    """Return the offset `at` a time in milliseconds, or EARLIEST or LATEST; None if no record is that late.

    With READ_COMMITTED, LATEST is where the first open transaction begins. Waits for a leader for some seconds, then
    raises RetryableError; other WireErrors when the broker refuses.
    """
    request = OffsetRequest(-1, isolation, [(topic, [(number, at)])])
    problem: Exception = errors.LeaderNotAvailableError()
    deadline = asyncio.get_running_loop().time() + _ATTEMPTS_S
    while asyncio.get_running_loop().time() < deadline:
        leader = cluster.leader(topic, number)
        try:
            if leader is not None:
                response = await cluster.send(leader, request)
                ((_, ((_, code, *found),)),) = response.topics
                if code == 0:
                    return None if found[-1] < 0 else int(found[-1])
                raise for_code(code)()
        except (KafkaError, OSError) as exc:
            if isinstance(exc, KafkaError) and not exc.retriable:
                raise translate(exc, cluster.codes, f"looking up the offsets of {topic}/{number}") from exc
            problem = exc
        await asyncio.sleep(_RETRY_S)
        await cluster.topics([topic])
    raise translate(problem, cluster.codes, f"looking up the offsets of {topic}/{number}") from problem
