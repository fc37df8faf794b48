"""A trial: two routes on a cluster, what comes in, and what has to be at the other end when a fault is over.

`WIRE_CHAOS_KILLS` says how long trials are, `WIRE_CHAOS_SEED` repeats one (as far as timing allows).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import Struct

from tests.chaos.documents import Watcher
from tests.chaos.nodes.cluster import DEADLINE_S, Cluster
from tests.chaos.nodes.definitions import Definitions
from tests.chaos.nodes.load import HOT, Documents, Records
from tests.chaos.nodes.watchers import Watchers, same_everywhere
from tests.e2e.nodes_kit import create, endless
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.kafka import KafkaServer
from tests.services.mongodb import MongoReplicaSet
from tests.waiting import comes_true, until

SEED = int(os.environ.get("WIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
SCALE = int(os.environ.get("WIRE_CHAOS_KILLS", "10")) / 10
RATE = round(100 * SCALE)
FAULT_S = 30.0 * (SCALE / 3) ** 2
"""How long faults last: half a minute in `make chaos`, and always beyond what it takes until others have the tasks."""
PARTITIONS = 3
RECORDS, DOCUMENTS, CHANGED = "records", "documents", "changed"
PIPELINES = [RECORDS, DOCUMENTS]
MONGODB = "TRIAL_MONGODB"
MARKS = [
    *(pytest.mark.chaos, pytest.mark.kafka, pytest.mark.mongodb, pytest.mark.elasticsearch),
    pytest.mark.timeout(900),
]
"""What every trial is."""
_LOOK_S = 0.2
_SLOWEST_PER_S = 200
_UNFORESEEN = re.compile(r".*(?:Traceback|task_crashed|rpc_call_failed|listener_failed|worker_not_dead).*")


class Services(Struct):
    """The servers at both ends, which may be killed and frozen."""

    kafka: KafkaServer
    mongodb: MongoReplicaSet
    elasticsearch: ElasticsearchServer

    @property
    def environ(self) -> dict[str, str]:
        """What pipelines refer to."""
        return {MONGODB: self.mongodb.uri}

    @property
    def ports(self) -> list[int]:
        """Where they are, on this machine."""
        members = [member.address for member in self.mongodb.members]
        addresses = [self.kafka.bootstrap, self.elasticsearch.url, *members]
        return [int(address.rpartition(":")[2]) for address in addresses]


class Trial:
    """A cluster at work."""

    def __init__(self, cluster: Cluster, services: Services, names: dict[str, str], rate: int) -> None:
        """Use topics, an index and a database of these names. Write `rate` records a second, as far as that goes."""
        self.rng = random.Random(SEED)
        self.cluster = cluster
        self.services = services
        self.watchers = Watchers(cluster, PIPELINES, CHANGED, self.rng)
        self.definitions = Definitions(cluster, self.rng)
        self.came_in_per_s = 0.0
        self._whole = True
        self._index, self._out = names["index"], names["out"]
        self._records = Records(names["topic"], PARTITIONS, rate, self.rng)
        self._documents = Documents(names["database"], rate // 2, self.rng)
        self._versions = Versions(services.elasticsearch, self._index, [f"k{n}" for n in range(HOT)])

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Have records and documents written meanwhile, and everything watched; then see whether all of it came."""
        assert self._whole, "an earlier trial of this cluster was broken off: what has to be there is not known"
        self._whole = False
        stop, over = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for watch in [*self.watchers.all(), *self.definitions.all()]:
                group.create_task(_run(watch(over)))
            group.create_task(self._versions.go_on_until(self.services.elasticsearch, over))
            loads = [
                group.create_task(self._records.go_on(self.services.kafka, stop)),
                group.create_task(self._documents.go_on(self.services.mongodb, stop)),
            ]
            began, before = time.monotonic(), self._records.made
            await self.advances("before the fault")
            yield
            await self.advances("after the fault")
            stop.set()
            await asyncio.wait(loads)
            self.came_in_per_s = (self._records.made - before) / (time.monotonic() - began)
            print(f"{self.came_in_per_s:.0f} records came in a second")
            await self.arrives()
            over.set()
        await self.settles()
        self._whole = True

    async def advances(self, when: str) -> float:
        """Wait until every partition has come further than now, and return how long that took."""
        began = time.monotonic()
        await self.watchers.look()
        before = dict(self.watchers.seqs)

        def moved() -> bool:
            now = self.watchers.seqs
            return len(now) == PARTITIONS + 1 and all(now[key] > before.get(key, 0) for key in now)

        await until(moved, DEADLINE_S)
        took_s = time.monotonic() - began
        print(f"every partition moved on {when} within {took_s:.1f} s")
        return took_s

    @contextlib.asynccontextmanager
    async def without(self, name: str, seconds: float) -> AsyncIterator[None]:
        """See all go on without a node that the others can't work with, then for so long, then for the block."""
        self.cluster.cut_off.add(name)
        try:
            await self.advances(f"without {name}")
            await asyncio.sleep(seconds)  # the length of the fault
            yield
        finally:
            self.cluster.cut_off.remove(name)

    async def arrives(self) -> None:
        """Wait until all that was acknowledged is there: documents at their newest version, every change once.

        The last checks say what is missing.
        """
        began = time.monotonic()
        expected = self._records.expected()
        with contextlib.suppress(TimeoutError):
            await comes_true(lambda: self._indexed(expected), DEADLINE_S + len(expected) / _SLOWEST_PER_S)
        found = await self.services.elasticsearch.documents(self._index)
        assert {id_: each["n"] for id_, each in found.items()} == expected
        changes: dict[str, list[_Change | None]] = {}
        with contextlib.suppress(TimeoutError):
            await comes_true(lambda: self._produced(changes), DEADLINE_S)
        assert not self._missing(changes), dict(list(self._missing(changes).items())[:10])
        twice = {id_: each for id_, each in changes.items() if _repeats(each)}
        assert not twice, dict(list(twice.items())[:10])
        print(
            f"all there {time.monotonic() - began:.1f} s after the last: {len(expected)} documents in the index; of "
            f"{self._documents.made} changes {sum(map(len, changes.values()))} records; "
            f"{self.watchers.confirmed} changes confirmed, {self.watchers.read} times read; "
            f"{self.definitions.confirmed} of definitions, {self.definitions.repeated} asked for again"
        )

    async def _indexed(self, expected: dict[str, int]) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            await self.services.elasticsearch.request("POST", f"/{self._index}/_refresh")
            count = (await self.services.elasticsearch.request("GET", f"/{self._index}/_count"))["count"]
            if count == len(expected):
                found = await self.services.elasticsearch.documents(self._index)
                return {id_: each["n"] for id_, each in found.items()} == expected
        return False

    async def _produced(self, changes: dict[str, list[_Change | None]]) -> bool:
        changes.clear()
        for record in await self.services.kafka.consume(self._out, isolation_level="read_committed"):
            change = None if record.value is None else msgspec.json.decode(record.value, type=_Change)
            changes.setdefault(record.key.decode(), []).append(change)
        return not self._missing(changes)

    def _missing(self, changes: dict[str, list[_Change | None]]) -> dict[str, Any]:
        """Return the documents of which not everything is there that has to be, and what is there."""
        wanted = {*self._documents.whole, *self._documents.states.items()}
        found = {id_: [each and each.change for each in its] for id_, its in changes.items()}
        return {id_: (change, found.get(id_)) for id_, change in wanted if change not in found.get(id_, ())}

    async def settles(self) -> None:
        """Wait until all nodes are well and have the same in them, and nothing has failed."""
        await self.cluster.healthy()
        await self.definitions.same_on_all()
        await comes_true(lambda: _or_not(self._same()), DEADLINE_S)
        for pipeline in PIPELINES:
            status = await self.cluster.get(await self.cluster.leader(), f"/api/v1/pipelines/{pipeline}/status")
            assert status["state"] == "running", status
            assert status["fell_back_from"] is None
        for node in self.cluster.nodes.values():
            found = _UNFORESEEN.findall(node.log.read_text())
            assert not found, f"{node.name} says: {found[:5]}"

    async def _same(self) -> bool:
        return await same_everywhere(self.cluster, PIPELINES)


class Versions(Watcher):
    """Looks at versions also while Elasticsearch is away."""

    async def go_on_until(self, elasticsearch: ElasticsearchServer, over: asyncio.Event) -> None:
        async with httpx.AsyncClient(base_url=elasticsearch.url, timeout=10) as client:
            while not over.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    await self.look(client)
                await asyncio.sleep(_LOOK_S)


class _Change(Struct):
    """What a document was when an event of it was read: perhaps newer than the event, which is told by its time."""

    change: int
    at: int


def _repeats(changes: list[_Change | None]) -> bool:
    """Say whether an event of a document is there twice. A delete does not tell which one it is."""
    times = [each.at for each in changes if each is not None]
    return len(times) > len(set(times))


async def _run(work: Any) -> None:
    await work


async def _or_not(attempt: Any) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return bool(await attempt)
    return False


async def begin(cluster: Cluster, services: Services, rate: int = RATE) -> Trial:
    """Begin both routes, and return once both move."""
    topic = await services.kafka.create_topic(partitions=PARTITIONS)
    out = await services.kafka.create_topic(partitions=PARTITIONS)
    index = await services.elasticsearch.create_index({"dynamic": False}, {"gc_deletes": "10m"})
    names = {"topic": topic, "out": out, "index": index, "database": topic}
    async with services.mongodb.client() as client:
        await client[topic]["docs"].insert_one({"_id": "first", "change": 0})
    async with cluster.nodes[cluster.up[0]].client() as patient:
        for spec in [*specs(services, names, min(1000, rate // 2)), endless(CHANGED)]:
            await create(patient, spec)
    await services.kafka.consume(out, 1, deadline_s=DEADLINE_S)  # the stream was begun before: all changes are in it
    trial = Trial(cluster, services, names, rate)
    async with trial.going_on():
        pass
    return trial


def specs(services: Services, names: dict[str, str], max_records: int) -> list[dict[str, Any]]:
    """The pipelines: Kafka to Elasticsearch by versions, and MongoDB to Kafka in transactions, by so many at once."""
    brokers = {"bootstrap_servers": [services.kafka.bootstrap]}
    common: dict[str, Any] = {
        "batch": {"max_records": max_records},
        "retry": {"initial": "100ms", "max": "500ms"},
        "checkpoint": {"interval": "100ms"},
    }
    index = {
        "url": services.elasticsearch.url, "index": names["index"], "id": "meta_key()", "timeout": "2s",
    }  # fmt: skip
    documents = {"uri": f"${{env:{MONGODB}}}", "database": names["database"], "collection": "docs"}
    return [
        {
            "name": RECORDS,
            "source": {"type": "kafka", "config": {**brokers, "topic": names["topic"]}},
            "sink": {"type": "elasticsearch", "config": index},
            **common,
        },
        {
            "name": DOCUMENTS,
            "source": {"type": "mongodb", "config": documents},
            "transforms": [{"select": "*, meta_offset() AS at"}],
            "sink": {"type": "kafka", "config": {**brokers, "topic": names["out"], "key": "meta_key()"}},
            "delivery": "exactly_once",
            **common,
        },
    ]
