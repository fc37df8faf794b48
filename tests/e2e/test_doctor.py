"""`wire doctor`: what is missing, and what can't be reached."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import BAD, wire
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_secure import SecureKafka
from tests.services.mongodb_client import MongoDB
from tests.services.web import Reply, WebServer


async def test_what_this_machine_has(tmp_path: Path, write: Callable[[str], Path]) -> None:
    well = await wire("doctor", "-o", "json", cwd=tmp_path)
    assert well.code == 0, well.out
    checks = {check["check"]: check["status"] for check in json.loads(well.out)}
    assert {"python", "msgspec", "aiokafka", "state folder"} <= set(checks)
    invalid = await wire("doctor", write(BAD, "bad.yaml"), cwd=tmp_path)
    assert invalid.code == 3
    assert "unknown field `sorce`, and 2 more; `wire lint" in invalid.out


async def test_doctor_and_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = await wire("doctor", "--state-dir", tmp_path / "file" / "state", cwd=tmp_path)
    assert result.code == 3
    assert "is not a folder" in result.out


async def looked_at(folder: Path, spec: dict[str, Any]) -> tuple[int, dict[str, tuple[str, str]]]:
    """Return the exit code, and by check its status and detail."""
    (folder / "p.json").write_text(json.dumps({"name": "looked-at"} | spec))
    result = await wire("doctor", "p.json", "-o", "json", cwd=folder)
    return result.code, {check["check"]: (check["status"], check["detail"]) for check in json.loads(result.out)}


async def test_sinks_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    away = {"bootstrap_servers": ["127.0.0.1:1"], "topic": "t"}
    code, checks = await looked_at(tmp_path, {
        "source": {"type": "generate"},
        "sinks": [
            {"type": "kafka", "config": away},
            {"type": "file", "name": "fixed", "config": {"path": "file/out.jsonl"}},
            {"type": "file", "name": "computed", "config": {"path": {"expr": "a"}, "directory": "out"}},
            {"type": "drop"},
        ],
        "on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "dead.jsonl"}}},
    })  # fmt: skip
    assert code == 3
    assert checks["source generate"] == ("ok", "reachable, 1 partition")
    status, detail = checks["sink kafka"]
    assert status == "missing"
    assert "127.0.0.1:1: connection refused" in detail
    assert checks["sink fixed"] == ("missing", f"{tmp_path / 'file'} is not a folder; choose another `path`")
    assert checks["sink computed"][1].startswith("out, ")
    assert checks["sink computed"][1].endswith(" free")
    assert checks["dead letters"][1].startswith("., ")
    assert "sink drop" not in checks
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "p.json"], "looking changes nothing"


@pytest.mark.kafka
async def test_a_kafka_sink_is_asked_as_a_run_would_ask(tmp_path: Path, kafka_secure: SecureKafka) -> None:
    topic = await kafka_secure.create_topic()

    def sink(name: str, topic: object, password: str) -> dict[str, Any]:
        login = {"mechanism": "SCRAM-SHA-512", "username": kafka_secure.username, "password": password}
        servers = {"bootstrap_servers": [kafka_secure.sasl], "security": {"sasl": login}}
        return {"type": "kafka", "name": name, "config": servers | {"topic": topic}}

    right = kafka_secure.password
    code, checks = await looked_at(tmp_path, {
        "source": {"type": "generate"},
        "sinks": [
            sink("fine", topic, right),
            sink("by record", {"expr": "a"}, right),
            sink("no topic", "nowhere", right),
            sink("no entry", topic, "hunter2"),
        ],
    })  # fmt: skip
    assert code == 3
    assert checks["sink fine"] == ("ok", f"reachable, topic {topic} is there")
    assert checks["sink by record"] == ("ok", "reachable, its topics are known by record")
    assert checks["sink no topic"][0] == "missing"
    assert "there is no topic `nowhere`" in checks["sink no topic"][1]
    assert checks["sink no entry"][0] == "missing"
    assert "the log-in was refused" in checks["sink no entry"][1]
    assert "hunter2" not in str(checks)


async def test_an_http_sink_is_looked_for_and_sent_nothing(tmp_path: Path) -> None:
    with WebServer(lambda _: Reply()) as there:
        sinks = [
            {"type": "http", "name": name, "config": {"url": url}}
            for name, url in (("there", f"{there.url}/hook"), ("away", "http://127.0.0.1:1/hook"))
        ]
        code, checks = await looked_at(tmp_path, {"source": {"type": "generate"}, "sinks": sinks})
        assert there.asked == []
    assert (code, checks["sink there"]) == (3, ("ok", "reachable"))
    status, detail = checks["sink away"]
    assert status == "missing"
    assert "does not answer" in detail


@pytest.mark.mongodb
async def test_a_mongodb_sink_is_asked_as_a_run_would_ask(tmp_path: Path, mongodb: MongoDB) -> None:
    config = {"database": "nobody_writes_here", "collection": "docs"}
    away = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500"
    sinks = [
        {"type": "mongodb", "name": name, "config": config | {"uri": uri}}
        for name, uri in (("there", mongodb.uri), ("away", away))
    ]
    code, checks = await looked_at(tmp_path, {"source": {"type": "generate"}, "sinks": sinks})
    assert code == 3
    assert checks["sink there"] == ("ok", "reachable")
    status, detail = checks["sink away"]
    assert status == "missing"
    assert "127.0.0.1:1" in detail


@pytest.mark.elasticsearch
async def test_an_elasticsearch_sink_is_asked_without_applying_its_template(
    tmp_path: Path, elasticsearch: Elasticsearch
) -> None:
    name = elasticsearch.new_name()
    config = {"index": name, "template": {"name": name, "body": {"index_patterns": [name]}}}
    sinks = [
        {"type": "elasticsearch", "name": kind, "config": config | {"url": url}}
        for kind, url in (("there", elasticsearch.url), ("away", "http://127.0.0.1:1"))
    ]
    code, checks = await looked_at(tmp_path, {"source": {"type": "generate"}, "sinks": sinks})
    assert code == 3
    assert checks["sink there"][0] == "ok"
    assert checks["sink there"][1].startswith("reachable, Elasticsearch ")
    assert checks["sink away"][0] == "missing"
    assert "connection refused" in checks["sink away"][1]
    templates = await elasticsearch.request("GET", "/_index_template")
    assert name not in {template["name"] for template in templates["index_templates"]}
