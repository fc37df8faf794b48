"""What a consumer group has recorded of a partition."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka import errors
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import translate
from wire.core.errors import WireError

_ATTEMPTS_S: Final = 8.0
_RETRY_S: Final = 0.1


class Group:
    """The offsets a consumer group has recorded, read and written without becoming its member."""

    def __init__(self, cluster: KafkaCluster, name: str) -> None:
        """Work on group `name`."""
        self._cluster = cluster
        self._name = name
        self._coordinator: int | None = None

    async def fetch(self, topic: str, number: int) -> int | None:
        """Return the recorded offset, None if there is none. Raises WireError."""
        doing = f"reading the offsets of group `{self._name}`"
        deadline = asyncio.get_running_loop().time() + _ATTEMPTS_S
        while True:
            try:
                return await self._fetch(topic, number)
            except (KafkaError, OSError) as exc:
                self._coordinator = None
                lasting = isinstance(exc, KafkaError) and not exc.retriable
                if lasting or asyncio.get_running_loop().time() > deadline:
                    raise translate(exc, self._cluster.codes, doing) from exc
            await asyncio.sleep(_RETRY_S)

    async def _fetch(self, topic: str, number: int) -> int | None:
        request = OffsetFetchRequest(self._name, [(topic, [number])])
        response = await self._cluster.send(await self._find(), request)
        _raise(getattr(response, "error_code", 0))
        ((_, ((_, offset, _, code),)),) = response.topics
        _raise(code)
        return None if offset < 0 else int(offset)

    async def commit(self, offsets: dict[tuple[str, int], int]) -> None:
        """Record offsets. Raises WireError when it can't be done now."""
        by_topic: dict[str, list[tuple[int, int, str]]] = {}
        for (topic, number), offset in offsets.items():
            by_topic.setdefault(topic, []).append((number, offset, ""))
        # generation -1 without a member is how the protocol writes for a group that has no members
        request = OffsetCommitRequest(self._name, -1, "", -1, list(by_topic.items()))
        try:
            response = await self._cluster.send(await self._find(), request)
            for _, rows in response.topics:
                for _, code in rows:
                    _raise(code)
        except (KafkaError, OSError) as exc:
            self._coordinator = None
            raise self._refused(exc) from exc

    def _refused(self, exc: Exception) -> WireError:
        problem = translate(exc, self._cluster.codes, f"publishing offsets to group `{self._name}`")
        if isinstance(
            exc, errors.UnknownMemberIdError | errors.IllegalGenerationError | errors.RebalanceInProgressError
        ):
            problem.hint = "other consumers are members of this group: give Wire a `group` of its own"
        return problem

    async def _find(self) -> int:
        if self._coordinator is None:
            response = await self._cluster.ask(FindCoordinatorRequest(self._name, CoordinationType.GROUP))
            _raise(response.error_code)
            self._coordinator = response.coordinator_id
        return self._coordinator


def _raise(code: int) -> None:
    if code:
        raise for_code(code)()
