"""What comes in while things break: numbered records with keys, and documents that are written, changed and deleted.

Each knows what is acknowledged, and so what has to be at the destination in the end.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from tests.services.kafka_client import KafkaCluster
from tests.services.mongodb_client import Document, MongoDB

HOT = 20
_TICK_S = 0.05
_LATEST_S = 1.0
_RETRY_S = 0.2
_Record = tuple[str, int | None]


class Records:
    """Writes records into a topic: most under a key of their own, some under one of `HOT` that change and vanish.

    `states` is the newest record of each key by its place, its value None where it is a tombstone.
    """

    def __init__(self, topic: str, partitions: int, rate: int, rng: random.Random) -> None:
        """Write `rate` records a second, those of a key into one of so many partitions."""
        self.topic = topic
        self.made = 0
        self.states: dict[str, tuple[int, int | None]] = {}
        self._partitions = partitions
        self._rate = rate
        self._rng = rng

    async def go_on(self, kafka: KafkaCluster, stop: asyncio.Event) -> None:
        """Write until told to stop, and return once everything is acknowledged."""
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap,
            acks="all",
            enable_idempotence=True,
            max_batch_size=1 << 20,
            request_timeout_ms=10_000,
            retry_backoff_ms=200,
        )
        async with producer, asyncio.TaskGroup() as group:
            wrote_s = time.monotonic()
            while not stop.is_set():
                await asyncio.sleep(_TICK_S)
                late_s = min(time.monotonic() - wrote_s, _LATEST_S)
                wrote_s = time.monotonic()
                for partition, records in self._next(max(1, round(self._rate * late_s))).items():
                    sent = await self._send(producer, partition, records)
                    group.create_task(self._acknowledged(records, sent))

    async def _send(self, producer: AIOKafkaProducer, partition: int, records: list[_Record]) -> asyncio.Future[Any]:
        """Send records at once: one by one, a test does not come to thousands a second beside all else it does."""
        batch = producer.create_batch()
        for key, n in records:
            value = None if n is None else b'{"n":%d}' % n
            assert batch.append(key=key.encode(), value=value, timestamp=None) is not None
        while True:
            try:
                sent: asyncio.Future[Any] = await producer.send_batch(batch, self.topic, partition=partition)
            except KafkaTimeoutError:  # it was not taken: the broker has stood still for so long that there is no room
                await asyncio.sleep(_RETRY_S)
            else:
                return sent

    def _next(self, count: int) -> dict[int, list[_Record]]:
        """Make records, by the partition of their keys."""
        made: dict[int, list[_Record]] = {}
        for _ in range(count):
            self.made += 1
            key, n = self._record(self.made)
            made.setdefault(int(key[1:]) % self._partitions, []).append((key, n))
        return made

    def _record(self, n: int) -> _Record:
        if self._rng.random() < 0.7:
            return f"u{n}", n
        return f"k{self._rng.randrange(HOT)}", None if self._rng.random() < 0.1 else n

    async def _acknowledged(self, records: list[_Record], sent: Any) -> None:
        first = (await sent).offset
        for offset, (key, n) in enumerate(records, first):
            if self.states.get(key, (-1, None))[0] < offset:
                self.states[key] = offset, n

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
