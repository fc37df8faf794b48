"""Every cell of the table in docs/delivery.md: what lint says of the pair, and what is there after kill -9.

`WIRE_CHAOS_SEED` repeats a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import pytest

from tests.chaos.test_kills import lines_of
from tests.chaos.victim import Victim, growth
from tests.conformance.elasticsearch_source import bulk
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_client import KafkaCluster
from tests.services.mongodb_client import MongoDB
from tests.services.web import Asked, Reply, WebServer
from wire.pipelines.lint import lint

KILLS: Final = 3
RECORDS: Final = 9_000
PAGE: Final = 200
SEED: Final = int(os.environ.get("WIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
DELIVERY: Final = Path(__file__).parents[2] / "docs" / "delivery.md"
WORDS: Final = {"exactly once", "effectively once", "at least once", "not after a crash"}
HEADS: Final = {
    "Kafka": "kafka",
    "Elasticsearch": "elasticsearch",
    "MongoDB": "mongodb",
    "files": "file",
    "HTTP": "http",
}


class Cell(NamedTuple):
    """What is promised from a source into a sink."""

    source: str
    sink: str
    promise: str


def table() -> list[Cell]:
    """Read the table of the documentation."""
    lines = DELIVERY.read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("| from"))
    sinks = [HEADS[name.strip()] for name in lines[head].strip("|").split("|")[1:]]
    cells = []
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            break
        names, *promises = (text.strip() for text in line.strip("|").split("|"))
        sources = re.findall(r"`(\w+)`", names)
        cells += [Cell(s, sink, p) for s in sources for sink, p in zip(sinks, promises, strict=True)]
    return cells


CELLS: Final = table()
MARKS: Final = {name: getattr(pytest.mark, name) for name in ("kafka", "elasticsearch", "mongodb")}


def test_the_table_is_whole() -> None:
    sources = {"kafka", "mongodb", "file", "elasticsearch", "http", "generate", "stdin"}
    assert {(cell.source, cell.sink) for cell in CELLS} == {(a, b) for a in sources for b in HEADS.values()}
    assert {cell.promise for cell in CELLS} == WORDS


class Ends:
    """Both ends of a pair: a source that has all numbers below `RECORDS`, and what a sink has of them."""

    kafka: KafkaCluster
    elasticsearch: Elasticsearch
    mongodb: MongoDB
    count: Callable[[], Any]

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def source(self, kind: str) -> dict[str, Any]:
        values = [b'{"n":%d}' % n for n in range(RECORDS)]
        match kind:
            case "kafka":
                topic = await self.kafka.create_topic(partitions=2)
                for p in range(2):
                    await self.kafka.produce(topic, values[p::2], partition=p)
                config: dict[str, Any] = {"bootstrap_servers": [self.kafka.bootstrap], "topic": topic}
            case "mongodb":
                database = await self._stack.enter_async_context(self.mongodb.database())
                await database["numbers"].insert_many([{"_id": n, "n": n} for n in range(RECORDS)])
                config = {"uri": self.mongodb.uri, "database": database.name, "collection": "numbers"}
                config["snapshot_chunk"] = 500
            case "file":
                (self._folder / "in.jsonl").write_bytes(b"\n".join(values) + b"\n")
                config = {"path": "in.jsonl"}
            case "elasticsearch":
                index = await self.elasticsearch.create_index()
                body = b"".join(b'{"index":{}}\n' + value + b"\n" for value in values)
                await bulk(self.elasticsearch, f"/{index}/_bulk?refresh=true", body)
                config = {"url": self.elasticsearch.url, "index": index}
            case "http":
                server = self._stack.enter_context(WebServer(page))
                config = {"url": server.url, "paging": "page", "poll": "100ms"}
            case _:
                assert kind == "generate"
                config = {"count": RECORDS, "fields": {"n": "sequence"}}
        return {"type": kind, "config": config}

    async def sink(self, kind: str) -> dict[str, Any]:
        """A sink; `count` then tells how often it has which number."""
        match kind:
            case "kafka":
                topic = await self.kafka.create_topic(partitions=2)
                config: dict[str, Any] = {"bootstrap_servers": [self.kafka.bootstrap], "topic": topic}

                async def values() -> list[bytes]:
                    found = await self.kafka.consume(topic, isolation_level="read_committed")
                    return [record.value for record in found]
            case "elasticsearch":
                index = await self.elasticsearch.create_index()
                config = {"url": self.elasticsearch.url, "index": index}

                async def values() -> list[bytes]:
                    return [json.dumps(each).encode() for each in (await self.elasticsearch.documents(index)).values()]
            case "mongodb":
                database = await self._stack.enter_async_context(self.mongodb.database())
                config = {"uri": self.mongodb.uri, "database": database.name, "collection": "out", "id": "n"}

                async def values() -> list[bytes]:
                    return [b'{"n":%d}' % each["n"] async for each in database["out"].find()]
            case "file":
                config = {"path": "out/n.jsonl", "rotate": {"max_records": 1000}}

                async def values() -> list[bytes]:
                    return lines_of(self._folder / "out")
            case _:
                assert kind == "http"
                server = self._stack.enter_context(WebServer(lambda _: Reply(204)))
                config = {"url": server.url}

                async def values() -> list[bytes]:
                    return [asked.body for asked in server.asked]

        async def count() -> Counter[int]:
            return Counter(json.loads(value)["n"] for value in await values())

        self.count = count
        return {"type": kind, "config": config}


def page(asked: Asked) -> Reply:
    first = (int(asked.query["page"]) - 1) * PAGE
    return Reply.of([{"n": n} for n in range(first, min(first + PAGE, RECORDS))])


@pytest.fixture
def ends(request: pytest.FixtureRequest, tmp_path: Path, cell: Cell) -> Ends:
    """Both ends of a cell's pair, with the servers it needs and no others."""
    made = Ends(tmp_path)
    for name in MARKS.keys() & set(cell):
        setattr(made, name, request.getfixturevalue(name))
    return made


def refused(spec: dict[str, Any]) -> bool:
    """Whether lint says that a pipeline can't be exactly once."""
    found = lint(json.dumps(spec | {"delivery": "exactly_once"})).errors
    assert {finding.code for finding in found} <= {"config.delivery_unsupported"}, found
    return bool(found)


def pairs(*promises: str) -> list[Any]:
    return [
        pytest.param(cell, id=f"{cell.source}-{cell.sink}", marks=[MARKS[n] for n in set(cell[:2]) if n in MARKS])
        for cell in CELLS
        if cell.promise in promises
    ]


@pytest.mark.parametrize("cell", pairs("not after a crash"))
async def test_what_can_not_be_read_again_is_refused_to_be_exactly_once(cell: Cell, ends: Ends) -> None:
    async with ends:
        assert refused({"name": "pair", "source": {"type": cell.source}, "sink": await ends.sink(cell.sink)})


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("cell", pairs("exactly once", "effectively once", "at least once"))
async def test_after_kills_there_is_what_the_table_says(cell: Cell, ends: Ends, tmp_path: Path) -> None:
    print(f"WIRE_CHAOS_SEED={SEED}")
    rng = random.Random(SEED)
    async with ends:
        spec = {
            "name": "pair",
            "source": await ends.source(cell.source),
            "transforms": [{"select": "n"}],
            "sink": await ends.sink(cell.sink),
            "batch": {"max_records": 50},
            "checkpoint": {"interval": "50ms"},
        }
        assert refused(spec) is (cell.promise == "at least once")
        if cell.promise != "at least once":
            spec["delivery"] = "exactly_once"
        victim = Victim(tmp_path, spec)
        for _ in range(KILLS):
            await victim.run_and_kill(rng, lambda: growth(tmp_path / "state"))
        await victim.run_to_the_end()
        seen = await ends.count()
        assert sorted(seen) == list(range(RECORDS))
        if cell.promise != "at least once":
            assert max(seen.values()) == 1
