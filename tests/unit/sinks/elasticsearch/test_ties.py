"""Changes that share document and version, as in a MongoDB transaction, end with the last one, whatever happens."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

from tests.integration.elasticsearch_kit import doc, keyed, verdicts
from tests.waiting import until
from wire.clients.elasticsearch_cluster import Answer, ElasticsearchCluster
from wire.clients.elasticsearch_errors import SINK
from wire.core.clock import SystemClock
from wire.core.config import parse
from wire.core.errors import Finding, RetryableError
from wire.sinks.elasticsearch import PLUGIN, ElasticsearchSinkConfig
from wire.sinks.elasticsearch.writer import ElasticsearchWriter


class Cluster:
    """Answers a request when it is told to: everything was written, or the statuses that are given."""

    version = None
    codes = SINK

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._answers: list[asyncio.Future[Answer]] = []

    async def request(self, method: str, target: str, body: bytes, **options: Any) -> Answer:
        self.asked.append(body)
        self._answers.append(asyncio.get_running_loop().create_future())
        return await self._answers[-1]

    async def close(self) -> None:
        return

    def answer(self, number: int, *statuses: int) -> None:
        items = [{"index": {"status": status, "error": {"type": "x", "reason": "x"}}} for status in statuses]
        body = msgspec.json.encode({"errors": True, "items": items} if items else {"errors": False})
        self._answers[number].set_result(Answer(200, body))

    def break_off(self, number: int) -> None:
        self._answers[number].set_exception(RetryableError("sink.elasticsearch.unreachable", "away"))


def writer_of(cluster: Cluster, **fields: Any) -> ElasticsearchWriter:
    findings: list[Finding] = []
    config = parse(PLUGIN.config, {"url": "http://x", "index": "i", "id": "meta_key()", **fields}, "$", findings)
    assert isinstance(config, ElasticsearchSinkConfig), findings
    return ElasticsearchWriter(cast(ElasticsearchCluster, cluster), config, SystemClock(), 0)


@pytest.fixture
async def cluster() -> Cluster:
    return Cluster()


PUT = doc(b'{"n":1}', b"k", 7)
DELETE = doc(None, b"k", 7)
OTHER = doc(b'{"n":2}', b"other", 7)
LATER = doc(b'{"n":3}', b"k", 8)


async def test_a_change_waits_for_the_one_before_it_with_its_version(cluster: Cluster) -> None:
    writer = writer_of(cluster)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for record in (PUT, DELETE, OTHER, LATER):
            group.create_task(writer.write([keyed(record)]))
        await until(lambda: len(cluster.asked) == 3)
        assert not any(b"delete" in body for body in cluster.asked)  # others don't wait
        cluster.answer(0)
        await until(lambda: len(cluster.asked) == 4)
        assert b"delete" in cluster.asked[3]
        for number in (1, 2, 3):
            cluster.answer(number)


@pytest.mark.parametrize("whole", [True, False])
async def test_what_follows_a_failed_change_is_repeated_with_it(cluster: Cluster, whole: bool) -> None:
    writer = writer_of(cluster)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        first = group.create_task(_outcome(writer.write([keyed(PUT)])))
        second = group.create_task(_outcome(writer.write([keyed(OTHER, DELETE)])))
        await until(lambda: len(cluster.asked) == 1)
        if whole:
            cluster.break_off(0)
        else:
            cluster.answer(0, 429)
        await until(lambda: len(cluster.asked) == 2)
        assert b"delete" not in cluster.asked[1]
        cluster.answer(1)
    assert (first.result() == "raised") is whole
    assert second.result() == [(1, "sink.elasticsearch.unreachable" if whole else "sink.elasticsearch.busy")]
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        again = group.create_task(_outcome(writer.write([keyed(PUT, DELETE)])))
        await until(lambda: len(cluster.asked) == 3)
        assert cluster.asked[2].count(b'"_id":"k"') == 2
        cluster.answer(2)
    assert again.result() == []


async def test_in_one_request_what_follows_a_failed_change_is_repeated_with_it(cluster: Cluster) -> None:
    writer = writer_of(cluster)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        write = group.create_task(_outcome(writer.write([keyed(PUT, OTHER, DELETE, LATER)])))
        await until(lambda: len(cluster.asked) == 1)
        cluster.answer(0, 429, 201, 200, 201)
    assert write.result() == [(0, "sink.elasticsearch.busy"), (2, "sink.elasticsearch.busy")]


async def test_with_external_a_version_comes_once(cluster: Cluster) -> None:
    writer = writer_of(cluster, version_type="external")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for record in (PUT, DELETE):
            group.create_task(writer.write([keyed(record)]))
        await until(lambda: len(cluster.asked) == 2)
        for number in (0, 1):
            cluster.answer(number)


async def _outcome(write: Any) -> list[tuple[int, str]] | str:
    try:
        return verdicts(await write)
    except RetryableError:
        return "raised"
