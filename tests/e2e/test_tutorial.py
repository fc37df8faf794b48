"""Does what the tutorials say, in their order: writes their files, types their commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.command import rows, wire
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_client import KafkaCluster
from tests.services.mongodb_client import MongoDB

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(yaml|console)\n(.*?)```", re.DOTALL)
FLIGHTS = 27_004
DELAYED = 4918


async def follow(name: str, folder: Path, here: Mapping[str, str]) -> None:
    """Go through a tutorial in `folder`; `here` says what is called otherwise here than in its files."""
    (folder / "configs").symlink_to(ROOT / "configs")
    for kind, block in BLOCK.findall((ROOT / "docs" / name).read_text()):
        if kind == "yaml":
            file = re.match(r"# (\S+\.yaml)\n", block)
            assert file, block
            text = block
            for theirs, ours in here.items():
                text = text.replace(theirs, ours)
            (folder / file[1]).write_text(text)
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "wire"
            outcome = await wire(*arguments, cwd=folder)
            assert outcome.code == 0, f"{line}\n{outcome.err}"


@pytest.mark.kafka
async def test_the_tutorial_for_kafka_does_what_it_says(kafka: KafkaCluster, tmp_path: Path) -> None:
    flights, delayed = await kafka.create_topic(partitions=3), await kafka.create_topic(partitions=3)
    here = {"localhost:9092": kafka.bootstrap, "topic: flights": f"topic: {flights}"}
    await follow("tutorial.md", tmp_path, {**here, "topic: delayed": f"topic: {delayed}"})
    late = await kafka.consume(delayed)
    assert sum((await kafka.end_offsets(flights)).values()) == FLIGHTS + 1
    assert len(late) == DELAYED
    worst = [row for path in sorted(tmp_path.glob("out/worst*.jsonl")) for row in rows(path)]
    assert worst
    assert all(row["delay_s"] >= 3 * 3600 for row in worst)
    (letter,) = rows(tmp_path / "out" / "dead-letters.jsonl")
    assert "soon" in letter["value"]


@pytest.mark.mongodb
@pytest.mark.elasticsearch
async def test_the_tutorial_from_mongodb_to_elasticsearch_does_what_it_says(
    mongodb: MongoDB, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    index = elasticsearch.new_name()
    async with mongodb.database() as database:
        await follow(
            "tutorial-mongodb-elasticsearch.md",
            tmp_path,
            {
                "mongodb://localhost:27017/?replicaSet=rs0": mongodb.uri,
                "database: travel": f"database: {database.name}",
                "http://localhost:9200": elasticsearch.url,
                "index: flights": f"index: {index}",
            },
        )
        ids = {document["_id"] async for document in database["flights"].find({}, ["_id"])}
    documents = await elasticsearch.documents(index)
    assert set(documents) == ids
    assert len(documents) == FLIGHTS - 31
    carriers = {document["carrier"] for document in documents.values()}
    assert "HA" not in carriers
    assert {document["airline"] for document in documents.values() if document["carrier"] == "AS"} == {
        "Alaska Airlines"
    }
    assert rows(tmp_path / "out" / "dead-letters.jsonl") == []


@pytest.mark.kafka
@pytest.mark.elasticsearch
async def test_the_tutorial_from_kafka_to_elasticsearch_does_what_it_says(
    kafka: KafkaCluster, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    topic, index = await kafka.create_topic(partitions=3), elasticsearch.new_name()
    await follow(
        "tutorial-kafka-elasticsearch.md",
        tmp_path,
        {
            "localhost:9092": kafka.bootstrap,
            "topic: flights": f"topic: {topic}",
            "http://localhost:9200": elasticsearch.url,
            "index: delayed": f"index: {index}",
        },
    )
    documents = await elasticsearch.documents(index)
    assert len(documents) == DELAYED + 1
    assert documents["XX1-JFK-2013-02-01T05:00:00Z"]["delay_s"] == 3600
