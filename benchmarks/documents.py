"""Documents: MongoDB's snapshot and change stream, and Kafka into Elasticsearch, contenders taking turns.

Rates leave the first tenth of the records out as warm-up. What arrives in a topic or an index is counted there; what
is thrown away is counted by the contender itself, and the server counts what it was asked for meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from benchmarks import indexing, jobs, orders, throughput
from benchmarks.arithmetic import Sample, window
from benchmarks.bare_elasticsearch import Index
from benchmarks.bare_mongodb import Changes, Snapshot
from benchmarks.broker import watch
from benchmarks.comparison import Comparison, Run, check, take_turns
from benchmarks.contenders import BARE, WIRE, wire_command
from benchmarks.processes import Child, RunError, module, running, usage
from benchmarks.progress import say
from benchmarks.watching import Watched, observe
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_client import KafkaCluster
from tests.services.mongodb import MongoReplicaSet
from tests.services.mongodb_client import Client, MongoDB

ENV = "WIRE_TEST_MONGODB"
_OPLOG_MB = 4096
_DATABASE = "bench"
_CHANGED = "changes"
_POLL_S = 0.05
_DEADLINE_S = 600.0
_WARM_UP = 0.1
_WRITTEN = re.compile(r"written\s+([\d,]+)")


Measured = tuple[str, Comparison]
"""A job of `JOBS`, and its runs side by side."""

JOBS = {
    "snapshot_drop": "MongoDB snapshot → drop",
    "snapshot_kafka": "MongoDB snapshot → Kafka",
    "changes_kafka": "MongoDB changes → Kafka",
    "kafka_elasticsearch": "Kafka → Elasticsearch",
}


class Place(msgspec.Struct, frozen=True):
    """Where the change stream is to be read from: the progress of Wire's that says so, and the cluster time."""

    state: Path
    seconds: int
    increment: int


@asynccontextmanager
async def document_store() -> AsyncIterator[MongoDB]:
    """Give a replica set until the block ends: one of our own, or the one `WIRE_TEST_MONGODB` names."""
    if uri := os.environ.get(ENV):
        yield MongoDB(uri)
        return
    async with MongoReplicaSet(oplog_mb=_OPLOG_MB) as server:
        yield server


async def measure_mongodb(cluster: KafkaCluster, folder: Path, documents: int, rounds: int) -> AsyncIterator[Measured]:
    """Let the contenders take turns with a snapshot of so many documents, and half as many changes."""
    async with document_store() as mongodb:
        async with mongodb.client() as client:
            await client.drop_database(_DATABASE)
        bench = _MongoBench(cluster, mongodb, folder, documents)
        yield "snapshot_drop", await bench.snapshot_to_drop(rounds)
        yield "snapshot_kafka", await bench.snapshot_to_kafka(rounds)
        yield "changes_kafka", await bench.changes_to_kafka(rounds)


async def measure_elasticsearch(
    cluster: KafkaCluster, folder: Path, documents: int, rounds: int
) -> AsyncIterator[Measured]:
    """Let the contenders take turns with indexing a topic of twice as many records."""
    async with indexing.search_cluster() as search:
        yield "kafka_elasticsearch", await _kafka_to_elasticsearch(cluster, search, folder, 2 * documents, rounds)


# MongoDB


class _MongoBench:
    """The jobs that read MongoDB."""

    def __init__(self, cluster: KafkaCluster, mongodb: MongoDB, folder: Path, documents: int) -> None:
        self._cluster = cluster
        self._mongodb = mongodb
        self._folder = folder
        self._documents = documents
        self._changes = documents // 2
        self._collection = "orders"

    async def snapshot_to_drop(self, rounds: int) -> Comparison:
        """Read a collection and throw it away. The collection is there for what comes next."""
        say(f"documents: filling a collection with {self._documents:,} documents")
        await orders.fill(self._mongodb.uri, _DATABASE, self._collection, self._documents)
        return await take_turns("snapshot → drop", self._documents, rounds, self._drop)

    async def snapshot_to_kafka(self, rounds: int) -> Comparison:
        """Copy the collection to a topic."""
        return await take_turns("snapshot → Kafka", self._documents, rounds, self._copy)

    async def changes_to_kafka(self, rounds: int) -> Comparison:
        """Copy to a topic the inserts that were made since a place in the change stream."""
        place = await self._mark()
        say(f"documents: making {self._changes:,} changes")
        await orders.fill(self._mongodb.uri, _DATABASE, _CHANGED, self._changes)

        async def run(contender: str, turn: int) -> Run:
            return await self._follow(contender, turn, place)

        return await take_turns("change stream → Kafka", self._changes, rounds, run)

    async def _drop(self, contender: str, turn: int) -> Run:
        command = module("bare_mongodb", Snapshot(self._mongodb.uri, _DATABASE, self._collection))
        if contender == WIRE:
            pipeline = self._pipeline("bench-drop", self._collection, {"type": "drop"})
            command = [*wire_command(pipeline, f"drop-{turn}", self._folder), "--until-eof"]
        cpu_before_s = _children_cpu_s()
        async with running(contender, command, self._folder) as child:
            seen = await self._watch_reading(child)
            written = int(await child.line(_DEADLINE_S)) if contender == BARE else _written(child.tail())
        ended = Sample(time.monotonic_ns(), self._documents, _children_cpu_s() - cpu_before_s)
        if written != self._documents:
            raise RunError(f"{contender} read {written} of {self._documents} documents")
        return _run(contender, Watched([*seen.samples, ended], seen.peak_rss), self._documents)

    async def _watch_reading(self, child: Child) -> Watched:
        """Sample how many documents the server was asked for until the process has ended."""
        seen = Watched([], 0)
        async with self._mongodb.client() as client, asyncio.timeout(_DEADLINE_S):
            before = await self._returned(client)
            while child.process.returncode is None:
                count = min(await self._returned(client) - before, self._documents - 1)
                used = usage(child.pid)
                seen.samples.append(Sample(time.monotonic_ns(), count, used.cpu_s))
                seen.peak_rss = max(seen.peak_rss, used.rss)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(child.process.wait(), _POLL_S)
        if child.process.returncode:
            raise RunError(f"{child.name} ended with {child.process.returncode}: {child.tail()}")
        return seen

    async def _returned(self, client: Client) -> int:
        status = await client.admin.command("serverStatus")
        return int(status["metrics"]["document"]["returned"])

    async def _copy(self, contender: str, turn: int) -> Run:
        target = await self._cluster.create_topic()
        task = Snapshot(self._mongodb.uri, _DATABASE, self._collection, self._cluster.bootstrap, target)
        command = module("bare_mongodb", task)
        if contender == WIRE:
            pipeline = self._pipeline("bench-copy", self._collection, self._topic(target))
            command = wire_command(pipeline, f"copy-{turn}", self._folder)
        return await _into_topic(self._cluster, contender, command, target, self._documents, self._folder)

    async def _mark(self) -> Place:
        """Make a collection of one document, let Wire read it, and return the place behind it."""
        async with self._mongodb.client() as client:
            await client[_DATABASE][_CHANGED].insert_one({"id": jobs.ID_BASE - 1, "ts": jobs.TS_BASE})
            ignored = await self._cluster.create_topic()
            pipeline = self._pipeline("bench-follow", _CHANGED, self._topic(ignored))
            command = [*wire_command(pipeline, "mark", self._folder), "--until-eof"]
            async with running("mark", command, self._folder) as child, asyncio.timeout(_DEADLINE_S):
                if await child.process.wait():
                    raise RunError(f"{child.name} ended with {child.process.returncode}: {child.tail()}")
            time_ = (await client.admin.command("ping"))["operationTime"]
        return Place(self._folder / "mark.state", time_.time, time_.inc + 1)

    async def _follow(self, contender: str, turn: int, place: Place) -> Run:
        target = await self._cluster.create_topic()
        task = Changes(
            self._mongodb.uri,
            _DATABASE,
            _CHANGED,
            self._cluster.bootstrap,
            target,
            seconds=place.seconds,
            increment=place.increment,
        )
        command = module("bare_mongodb", task)
        if contender == WIRE:
            shutil.copytree(place.state, self._folder / f"follow-{turn}.state")
            pipeline = self._pipeline("bench-follow", _CHANGED, self._topic(target))
            command = wire_command(pipeline, f"follow-{turn}", self._folder)
        return await _into_topic(self._cluster, contender, command, target, self._changes, self._folder)

    def _topic(self, target: str) -> dict[str, object]:
        return {"type": "kafka", "config": {"bootstrap_servers": [self._cluster.bootstrap], "topic": target}}

    def _pipeline(self, name: str, collection: str, sink: dict[str, object]) -> dict[str, object]:
        place = {"uri": self._mongodb.uri, "database": _DATABASE, "collection": collection}
        return {"name": name, "source": {"type": "mongodb", "config": place}, "sink": sink}


async def _into_topic(
    cluster: KafkaCluster, contender: str, command: list[str], target: str, total: int, folder: Path
) -> Run:
    async with running(contender, command, folder) as child:
        try:
            seen = await watch(cluster, target, total, child.pid)
        except TimeoutError as exc:
            raise RunError(f"{contender}: {exc}: {child.tail()}") from None
    await throughput.verify(cluster, target, total, folder, filtered=False)
    await cluster.delete_topic(target)
    return _run(contender, seen, total)


# Elasticsearch


async def _kafka_to_elasticsearch(
    cluster: KafkaCluster, search: Elasticsearch, folder: Path, records: int, rounds: int
) -> Comparison:
    """Index a filled topic, without reading the records on the way."""
    source = await cluster.create_topic()
    say(f"documents: filling a topic with {records:,} records")
    await throughput.fill(cluster, source, records, folder)

    async def run(contender: str, turn: int) -> Run:
        return await _index(contender, turn, cluster, search, source, folder, records)

    measured = await take_turns("Kafka → Elasticsearch", records, rounds, run)
    await cluster.delete_topic(source)
    return measured


async def _index(
    contender: str, turn: int, cluster: KafkaCluster, search: Elasticsearch, source: str, folder: Path, records: int
) -> Run:
    index = await indexing.create(search)
    command = module("bare_elasticsearch", Index(cluster.bootstrap, source, search.url, index))
    if contender == WIRE:
        place = {"bootstrap_servers": [cluster.bootstrap], "topic": source, "group": index, "start": "earliest"}
        pipeline = {
            "name": "bench-index",
            "source": {"type": "kafka", "config": place},
            "sink": {"type": "elasticsearch", "config": {"url": search.url, "index": index}},
        }
        command = wire_command(pipeline, f"index-{turn}", folder)
    async with running(contender, command, folder) as child, httpx.AsyncClient(base_url=search.url) as client:

        async def arrived() -> int:
            return await indexing.arrived(client, index)

        try:
            seen = await observe(arrived, index, records, child.pid, _POLL_S)
        except TimeoutError as exc:
            raise RunError(f"{contender}: {exc}: {child.tail()}") from None
    check(await indexing.tally(search, index, records))
    await search.request("DELETE", f"/{index}")
    return _run(contender, seen, records)


# what is made of a run


def _run(contender: str, seen: Watched, total: int) -> Run:
    first, last = window(seen.samples, total, skip=_WARM_UP)
    count, wall_s = last.count - first.count, (last.t_ns - first.t_ns) / 1e9
    return Run(contender, count / wall_s, count / (last.cpu_s - first.cpu_s), seen.peak_rss / 2**20)


def _written(summary: str) -> int:
    """Return how many records Wire says at its end that it wrote."""
    found = _WRITTEN.findall(summary)
    return int(found[-1].replace(",", "")) if found else 0


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
