"""What comes in while things break: numbered records with keys, and documents that are written, changed and deleted.

Each knows what is acknowledged, and so what has to be at the destination in the end.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from tests.services.kafka_client import KafkaCluster
from tests.services.mongodb_client import Document, MongoDB

HOT = 20
_TICK_S = 0.05
_RETRY_S = 0.2


class Records:
    """Writes records into a topic: most under a key of their own, some under one of `HOT` that change and vanish.

    `states` is the newest record of each key by its place, its value None where it is a tombstone.
    """

    def __init__(self, topic: str, rate: int, rng: random.Random) -> None:
        self.topic = topic
        self.made = 0
        self.states: dict[str, tuple[int, int | None]] = {}
        self._per_tick = max(1, round(rate * _TICK_S))
        self._rng = rng

    async def go_on(self, kafka: KafkaCluster, stop: asyncio.Event) -> None:
        """Write until told to stop, and return once everything is acknowledged."""
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=10_000,
            retry_backoff_ms=200,
        )
        async with producer, asyncio.TaskGroup() as group:
            while not stop.is_set():
                for _ in range(self._per_tick):
                    key, n = self._next()
                    sent = await self._send(producer, key, n)
                    group.create_task(self._acknowledged(key, n, sent))
                await asyncio.sleep(_TICK_S)

    async def _send(self, producer: AIOKafkaProducer, key: str, n: int | None) -> asyncio.Future[Any]:
        while True:
            try:
                sent: asyncio.Future[Any] = await producer.send(
                    self.topic, None if n is None else b'{"n":%d}' % n, key.encode()
                )
            except KafkaTimeoutError:  # it was not taken: the broker has stood still for so long that there is no room
                await asyncio.sleep(_RETRY_S)
            else:
                return sent

    def _next(self) -> tuple[str, int | None]:
        self.made += 1
        if self._rng.random() < 0.7:
            return f"u{self.made}", self.made
        key = f"k{self._rng.randrange(HOT)}"
        return key, None if self._rng.random() < 0.1 else self.made

    async def _acknowledged(self, key: str, n: int | None, sent: Any) -> None:
        written = await sent
        if self.states.get(key, (-1, None))[0] < written.offset:
            self.states[key] = written.offset, n

    def expected(self) -> dict[str, int]:
        """What has to be in the index: the newest value of each key that has one."""
        return {key: n for key, (_, n) in self.states.items() if n is not None}


class Documents:
    """Writes documents into a collection, and replaces, updates and deletes some. Every change has a number.

    `states` is the number of the last change of each document, None where it was deleted; `whole` are the changes
    that bring a whole document with them, so that each of them has to come through.
    """

    def __init__(self, database: str, rate: int, rng: random.Random) -> None:
        self.database = database
        self.made = 0
        self.states: dict[str, int | None] = {}
        self.whole: set[tuple[str, int]] = set()
        self._last = 0
        self._per_tick = max(1, round(rate * _TICK_S))
        self._rng = rng

    async def go_on(self, mongodb: MongoDB, stop: asyncio.Event) -> None:
        """Write until told to stop."""
        async with mongodb.client(
            serverSelectionTimeoutMS=2000, socketTimeoutMS=10_000, w="majority", journal=True
        ) as client:
            collection = client[self.database]["docs"]
            while not stop.is_set():
                async with asyncio.TaskGroup() as group:  # each of another document: changes of one are in order
                    for id_ in dict.fromkeys(self._next() for _ in range(self._per_tick)):
                        self.made += 1
                        group.create_task(self._change(collection, id_, self.made))
                await asyncio.sleep(_TICK_S)

    def _next(self) -> str:
        """Return which document changes: mostly one that has not been there, else a late one."""
        if self._rng.random() < 0.6 or not self.states:
            self._last += 1
            return f"d{self._last}"
        return f"d{self._rng.randrange(max(1, self._last - 200), self._last + 1)}"

    async def _change(self, collection: AsyncCollection[Document], id_: str, n: int) -> None:
        kind = self._rng.random()
        if self.states.get(id_) is None or kind < 0.4:
            await _persist(lambda: collection.replace_one({"_id": id_}, {"change": n}, upsert=True))
            self.states[id_] = n
            self.whole.add((id_, n))
        elif kind < 0.75:
            await _persist(lambda: collection.update_one({"_id": id_}, {"$set": {"change": n}}))
            self.states[id_] = n
        else:
            await _persist(lambda: collection.delete_one({"_id": id_}))
            self.states[id_] = None


async def _persist(attempt: Any) -> None:
    """Make a change that may be made twice, again and again while the server is away."""
    while True:
        try:
            await attempt()
        except PyMongoError:
            await asyncio.sleep(_RETRY_S)
        else:
            return
