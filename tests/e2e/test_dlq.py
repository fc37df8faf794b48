"""`wire dlq`: what could not be processed, counted and shown, from files, a topic and an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import wire
from tests.e2e.nodes_kit import NodeProcess, create
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_client import KafkaCluster

ROWS = [b'{"n": 1}', b'{"n": ', b'{"n": "x"}', b'{"n": 2}', b"\xff\xfe", b'{"n": "y"}']


async def run(folder: Path, letters: dict[str, Any]) -> Path:
    """Run a pipeline that puts aside what is no JSON, and what is no number."""
    (folder / "in.jsonl").write_bytes(b"\n".join(ROWS) + b"\n")
    pipeline = folder / "p.yaml"
    spec = {
        "name": "p",
        "source": {"type": "file", "config": {"path": "in.jsonl"}},
        "transforms": [{"cast": {"n": "bigint"}}],
        "sink": {"type": "drop"},
        "on_error": {"policy": "dead_letter", "sink": letters},
    }
    pipeline.write_text(json.dumps(spec))
    done = await wire("run", pipeline, "--until-eof", cwd=folder)
    assert done.code == 0, done.err
    return pipeline


async def check(pipeline: Path) -> None:
    """See that they are all told, and are what they were."""
    counted = await wire("dlq", "list", pipeline, "-o", "json", cwd=pipeline.parent)
    assert counted.code == 0, counted.err
    groups = {each["code"]: each["letters"] for each in json.loads(counted.out)}
    assert groups == {"record.decode": 2, "expression.cast": 2}
    shown = await wire("dlq", "show", pipeline, "--code", "expression.*", "-o", "json", cwd=pipeline.parent)
    found = {each["value"]: each for each in json.loads(shown.out)}
    assert found.keys() == {ROWS[2].decode(), ROWS[5].decode()}
    assert {(each["path"], each["pipeline"], each["attempts"]) for each in found.values()} == {
        ("$.transforms[0]", "p", 1)
    }
    assert all(each["source"].startswith("file/") for each in found.values())
    raw = await wire("dlq", "show", pipeline, "--code", "record.decode", "-o", "json", cwd=pipeline.parent)
    assert {each.get("value_base64") for each in json.loads(raw.out)} == {None, "//4="}


@pytest.mark.parametrize("options", [{}, {"rotate": {"max_records": 1}}])
async def test_letters_in_files(tmp_path: Path, options: dict[str, Any]) -> None:
    letters = {"type": "file", "config": {"path": "dead/[all] letters.jsonl.gz", **options}}
    pipeline = await run(tmp_path, letters)
    await check(pipeline)
    table = await wire("dlq", "list", pipeline, cwd=tmp_path)
    assert table.out.splitlines()[0].split() == ["CODE", "LETTERS", "OLDEST", "NEWEST", "PATH", "NEWEST", "ERROR"]
    newest = await wire("dlq", "show", pipeline, "--count", "1", cwd=tmp_path)
    assert len(newest.out.splitlines()) == 3


@pytest.mark.kafka
async def test_letters_in_a_topic(tmp_path: Path, kafka: KafkaCluster) -> None:
    config = {"bootstrap_servers": [kafka.bootstrap], "topic": await kafka.create_topic(partitions=2)}
    await check(await run(tmp_path, {"type": "kafka", "config": config}))


@pytest.mark.elasticsearch
async def test_letters_in_an_index(tmp_path: Path, elasticsearch: Elasticsearch) -> None:
    index = await elasticsearch.create_index({"enabled": False})
    await check(await run(tmp_path, {"type": "elasticsearch", "config": {"url": elasticsearch.url, "index": index}}))


async def test_no_letters_are_no_error(tmp_path: Path) -> None:
    pipeline = await run(tmp_path, {"type": "file", "config": {"path": "dead.jsonl"}})
    none = await wire("dlq", "list", pipeline, "--code", "sink.*", cwd=tmp_path)
    assert (none.code, none.out) == (0, "")
    assert "no dead letters" in none.err


async def test_a_pipeline_that_keeps_none_is_told_so(tmp_path: Path) -> None:
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("name: p\nsource: {type: stdin}\nsink: {type: drop}\n")
    refused = await wire("dlq", "list", pipeline, cwd=tmp_path)
    assert refused.code == 1
    assert "dlq.none" in refused.err
    assert "hint" in refused.err


async def test_a_sink_that_can_not_be_read_back_is_named(tmp_path: Path) -> None:
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(
        "name: p\nsource: {type: generate}\nsink: {type: drop}\non_error: {policy: dead_letter, sink: {type: stdout}}\n"
    )
    refused = await wire("dlq", "show", pipeline, cwd=tmp_path)
    assert refused.code == 1
    assert "dlq.unreadable" in refused.err


@pytest.mark.kafka
async def test_letters_of_a_pipeline_in_a_cluster(tmp_path: Path, kafka: KafkaCluster) -> None:
    topic, dead = await kafka.create_topic(), await kafka.create_topic()
    where = {"bootstrap_servers": [kafka.bootstrap]}
    spec = {
        "name": "p",
        "source": {"type": "kafka", "config": {**where, "topic": topic}},
        "transforms": [{"cast": {"n": "bigint"}}],
        "sink": {"type": "drop"},
        "on_error": {"policy": "dead_letter", "sink": {"type": "kafka", "config": {**where, "topic": dead}}},
    }
    await kafka.produce(topic, ROWS)
    node = NodeProcess(tmp_path, "n1")
    async with node.running() as client:
        await create(client, spec)
        await kafka.consume(dead, 4)
        counted = await wire("dlq", "list", "p", "--server", node.url, "-o", "json", cwd=tmp_path)
        assert {each["code"]: each["letters"] for each in json.loads(counted.out)} == {
            "record.decode": 2,
            "expression.cast": 2,
        }
        shown = await wire("dlq", "show", "p", "--server", node.url, "-o", "json", cwd=tmp_path)
        assert {each["version"] for each in json.loads(shown.out)} == {1}
        unknown = await wire("dlq", "list", "q", "--server", node.url, cwd=tmp_path)
        assert unknown.code == 1
        assert "cluster.unknown_pipeline" in unknown.err
