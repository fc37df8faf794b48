"""Servers that die, step down or refuse writes under a running `wire run`: it goes on by itself, nothing is missing.

Dead letters are exact: those documents that can't be indexed, once each, with the bytes the source gave.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.documents import in_snapshot, until, whole
from tests.chaos.test_outages import Running, running
from tests.chaos.victim import Victim
from tests.e2e.command import rows
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.mongodb import MongoReplicaSet
from tests.services.mongodb_client import Document, MongoDB

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.elasticsearch,
    pytest.mark.mongodb,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

BEFORE = 30_000
MEANWHILE = 2_000
UNMAPPABLE = 500
OPERATIONS = ("snapshot", "insert")
MAPPINGS = {"properties": {"n": {"type": "long"}, "value": {"type": "long"}}}


def pipeline(mongodb: MongoDB, database: str, elasticsearch: Elasticsearch, index: str) -> dict[str, Any]:
    source = {"uri": mongodb.uri, "database": database, "collection": "docs", "snapshot_chunk": 1000}
    sink = {"url": elasticsearch.url, "index": index, "id": "meta_key()", "timeout": "2s"}
    return {
        "name": "outage",
        "source": {"type": "mongodb", "config": source},
        "transforms": [{"drop": ["_id"]}],
        "sink": {"type": "elasticsearch", "config": sink},
        "batch": {"max_records": 100},
        "retry": {"initial": "100ms", "max": "500ms"},
        "checkpoint": {"interval": "100ms"},
        "on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "dead.jsonl"}}},
    }


def documents(numbers: Iterable[int]) -> list[Document]:
    """Every so many can't be indexed: its value is no number."""
    return [{"_id": n, "n": n, "value": f"no {n}" if n % UNMAPPABLE == 7 else n} for n in numbers]


class Flow:
    """A collection, the pipeline that moves it, and what has to come of it."""

    def __init__(
        self, victim: Victim, mongodb: MongoDB, database: str, elasticsearch: Elasticsearch, index: str
    ) -> None:
        self.victim = victim
        self.index = index
        self._mongodb = mongodb
        self._database = database
        self._elasticsearch = elasticsearch
        self._next = 0

    async def insert(self, count: int) -> None:
        """Insert documents, a majority of members has them then; elections are waited for."""
        batch = documents(range(self._next, self._next + count))
        self._next += count
        async with self._mongodb.client(w="majority", retryWrites=True) as client:
            await client[self._database]["docs"].insert_many(batch)

    async def change(self) -> None:
        """Change, delete and insert some."""
        async with self._mongodb.client(w="majority", retryWrites=True) as client:
            collection = client[self._database]["docs"]
            await collection.update_many({"n": {"$mod": [10, 1]}, "value": {"$type": "int"}}, {"$inc": {"value": 1}})
            await collection.delete_many({"n": {"$mod": [10, 2]}, "value": {"$type": "int"}})
        await self.insert(MEANWHILE)

    async def arrived(self, count: int = 1) -> None:
        """Wait until so many documents are in the index."""

        async def enough() -> bool:
            await self._elasticsearch.request("POST", f"/{self.index}/_refresh")
            found = await self._elasticsearch.request("GET", f"/{self.index}/_count")
            return bool(found["count"] >= count)

        await until(enough)

    async def complete(self) -> None:
        """Wait until the index equals the collection, but for the documents that can't be indexed."""
        async with self._mongodb.client() as client:
            expected = await whole(client[self._database]["docs"])
        good = {id_: each for id_, each in expected.items() if isinstance(each["value"], int)}
        found: dict[str, Any] = {}

        async def equal() -> bool:
            found.update({"now": await self._elasticsearch.documents(self.index)})
            return bool(found["now"] == good)

        try:
            await until(equal)
        except TimeoutError:
            assert found["now"] == good  # says what is missing

    def assert_dead_letters_are_exact(self) -> None:
        """Check that exactly the documents that can't be indexed are there, as they were read, once each.

        One that was inserted while the snapshot was read may have been read there, too, before its insertion came.
        """
        letters = rows(self.victim.folder / "dead.jsonl")
        read = {op: [each["value"] for each in letters if each["headers"]["mongodb.op"] == op] for op in OPERATIONS}
        assert len(letters) == len(read["snapshot"]) + len(read["insert"])
        assert sorted(read["insert"]) == unmappable(BEFORE, self._next)
        assert [value for value in sorted(read["snapshot"]) if value not in read["insert"]] == unmappable(0, BEFORE)
        assert len(set(read["snapshot"])) == len(read["snapshot"])
        assert {letter["headers"]["wire-error-code"] for letter in letters} == {"sink.elasticsearch.refused"}


def unmappable(first: int, behind: int) -> list[str]:
    """Return those of the documents that can't be indexed, as the source writes them."""
    bad = [each for each in documents(range(first, behind)) if isinstance(each["value"], str)]
    return sorted(json.dumps(each, separators=(",", ":")) for each in bad)


async def survives(
    folder: Path, mongodb: MongoDB, elasticsearch: Elasticsearch, fault: Callable[[Flow, Running], Awaitable[None]]
) -> None:
    """Let the fault happen once in the snapshot and once in the stream."""
    index = await elasticsearch.create_index(MAPPINGS)
    async with mongodb.database() as database:
        victim = Victim(folder, pipeline(mongodb, database.name, elasticsearch, index))
        flow = Flow(victim, mongodb, database.name, elasticsearch, index)
        await flow.insert(BEFORE)
        async with running(victim) as its:
            await flow.arrived()
            assert in_snapshot(folder / "state")
            await fault(flow, its)
            await flow.change()
            await flow.complete()
            assert not in_snapshot(folder / "state")
            await flow.change()
            await fault(flow, its)
            await flow.change()
            await flow.complete()
        flow.assert_dead_letters_are_exact()


async def step_down(cluster: MongoReplicaSet) -> None:
    await cluster.step_down()


async def kill_primary(cluster: MongoReplicaSet) -> None:
    primary = await cluster.primary()
    primary.kill()
    await cluster.primary()
    await primary.start()


@pytest.mark.parametrize("fault", [step_down, kill_primary])
async def test_another_primary(
    mongodb_cluster: MongoReplicaSet,
    elasticsearch: Elasticsearch,
    tmp_path: Path,
    fault: Callable[[MongoReplicaSet], Awaitable[None]],
) -> None:
    await survives(tmp_path, mongodb_cluster, elasticsearch, lambda _flow, _its: fault(mongodb_cluster))


async def complains(its: Running, code: str) -> None:
    """Wait until it says that writing is tried again, and why."""
    async with asyncio.timeout(180):
        while not ("sink retry" in (line := await its.hear()) and code in line):
            pass


async def test_elasticsearch_is_killed_and_comes_back(
    mongodb: MongoDB, own_elasticsearch: ElasticsearchServer, tmp_path: Path
) -> None:
    async def kill_and_start(flow: Flow, its: Running) -> None:
        own_elasticsearch.kill()
        await flow.change()
        await complains(its, "")
        await own_elasticsearch.start()

    await survives(tmp_path, mongodb, own_elasticsearch, kill_and_start)


@pytest.mark.parametrize("block", ["read_only_allow_delete", "write"])
async def test_an_index_that_is_read_only_for_a_while(
    mongodb: MongoDB, elasticsearch: Elasticsearch, tmp_path: Path, block: str
) -> None:
    async def refuse_and_allow(flow: Flow, its: Running) -> None:
        await elasticsearch.request("PUT", f"/{flow.index}/_settings", {f"index.blocks.{block}": True})
        await flow.change()
        await complains(its, "sink.elasticsearch.blocked")
        await elasticsearch.request("PUT", f"/{flow.index}/_settings", {f"index.blocks.{block}": None})

    await survives(tmp_path, mongodb, elasticsearch, refuse_and_allow)
