"""What users and their data get wrong: each a clear error with a code and a hint, or a dead letter; nothing is lost."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Outcome, rows, run
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_secure import SecureKafka

TO_FILE = {"type": "file", "config": {"path": "out.jsonl"}}
DEAD = {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "dead.jsonl"}}}
SHORT_OF_PATIENCE = {"attempts": 2, "initial": "10ms", "max": "10ms"}


def from_file(**config: Any) -> dict[str, Any]:
    return {"type": "file", "config": {"path": "in.jsonl", **config}}


def kafka_end(bootstrap: str, topic: str, **config: Any) -> dict[str, Any]:
    return {"type": "kafka", "config": {"bootstrap_servers": [bootstrap], "topic": topic, **config}}


def assert_explained(outcome: Outcome, exit_code: int, *words: str) -> None:
    """Check that a user can act on it: the exit code, the words, a hint, and no stack trace."""
    assert outcome.code == exit_code, outcome.err
    for word in (*words, "hint"):
        assert word in outcome.err, outcome.err
    assert "Traceback" not in outcome.err + outcome.out


def dead_letters(folder: Path) -> list[bytes]:
    return [
        base64.b64decode(row["value_base64"]) if "value_base64" in row else row["value"].encode()
        for row in rows(folder / "dead.jsonl")
    ]


async def test_a_missing_file(tmp_path: Path) -> None:
    outcome = await run(tmp_path, {"source": from_file(), "sink": TO_FILE})
    assert_explained(outcome, 3, "source.file.not_found", "in.jsonl")


async def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a":1}\n')
    (tmp_path / "blocked").write_text("a file where a folder should be")
    sink = {"type": "file", "config": {"path": "blocked/out.jsonl"}}
    assert_explained(await run(tmp_path, {"source": from_file(), "sink": sink}), 3, "sink.file.", "blocked")


async def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a":1}\n')
    nowhere = kafka_end("127.0.0.1:1", "t")
    assert_explained(await run(tmp_path, {"source": nowhere, "sink": TO_FILE}), 3, "kafka.unreachable", "127.0.0.1:1")
    assert_explained(await run(tmp_path, {"source": from_file(), "sink": nowhere}), 3, "kafka.unreachable")


@pytest.mark.kafka
async def test_a_missing_topic_is_named_with_its_likely_spelling(kafka: KafkaCluster, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a":1}\n')
    topic = await kafka.create_topic()
    typo = kafka_end(kafka.bootstrap, topic + "x")
    for spec in ({"source": typo, "sink": TO_FILE}, {"source": from_file(), "sink": typo}):
        assert_explained(await run(tmp_path, spec), 3, "kafka.missing_topic", topic + "x")


@pytest.mark.kafka
async def test_a_wrong_password_is_refused_and_not_shown(
    kafka_secure: SecureKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    security = {
        "sasl": {"mechanism": "PLAIN", "username": kafka_secure.username, "password": "${env:KAFKA_PASSWORD}"},
    }
    source = kafka_end(kafka_secure.sasl, "t", security=security)
    monkeypatch.setenv("KAFKA_PASSWORD", "not-the-password")
    outcome = await run(tmp_path, {"source": source, "sink": TO_FILE})
    assert_explained(outcome, 3, "kafka.authentication")
    assert "not-the-password" not in outcome.err + outcome.out


async def test_malformed_records_and_invalid_utf8_are_dead_lettered_with_their_bytes(tmp_path: Path) -> None:
    bad = [b'{"a":', b'{"a": "\xff\xfe"}', b"[1]", b"nothing"]
    good = [b'{"a":1}', b'{"a":"\xc3\xa9"}']
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([good[0], *bad, good[1]]) + b"\n")
    spec = {"source": from_file(), "transforms": [{"select": "*, 1 AS b"}], "sink": TO_FILE, "on_error": DEAD}
    outcome = await run(tmp_path, spec)
    assert outcome.code == 0, outcome.err
    assert rows(tmp_path / "out.jsonl") == [{"a": 1, "b": 1}, {"a": "é", "b": 1}]
    assert dead_letters(tmp_path) == bad


async def test_a_malformed_record_without_a_policy_stops_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'{"a":1}\n{"a":\n')
    spec = {"source": from_file(), "transforms": [{"filter": "a > 0"}], "sink": TO_FILE}
    assert_explained(await run(tmp_path, spec), 1, "record.", "in.jsonl@8")


async def test_a_line_of_ten_mebibytes_passes_unharmed(tmp_path: Path) -> None:
    line = json.dumps({"a": "x" * (10 << 20)})
    (tmp_path / "in.jsonl").write_text(f'{{"a":"before"}}\n{line}\n{{"a":"after"}}\n')
    outcome = await run(tmp_path, {"source": from_file(), "transforms": [{"select": "a"}], "sink": TO_FILE})
    assert outcome.code == 0, outcome.err
    assert [len(row["a"]) for row in rows(tmp_path / "out.jsonl")] == [6, 10 << 20, 5]


@pytest.mark.kafka
async def test_a_record_over_the_sinks_limit_is_dead_lettered_and_the_rest_arrives(
    kafka: KafkaCluster, tmp_path: Path
) -> None:
    topic = await kafka.create_topic()
    big = json.dumps({"a": "x" * (3 << 20)})
    (tmp_path / "in.jsonl").write_text(f'{{"a":"1"}}\n{big}\n{{"a":"2"}}\n')
    outcome = await run(tmp_path, {"source": from_file(), "sink": kafka_end(kafka.bootstrap, topic), "on_error": DEAD})
    assert outcome.code == 0, outcome.err
    assert [record.value for record in await kafka.consume(topic)] == [b'{"a":"1"}', b'{"a":"2"}']
    assert dead_letters(tmp_path) == [big.encode()]
    assert "record_too_large" in (tmp_path / "dead.jsonl").read_text()


async def test_a_schema_that_changes_in_mid_stream(tmp_path: Path) -> None:
    lines = [{"a": 1}, {"a": "one"}, {"a": [1]}, {"b": 2}, {"a": 3}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    spec = {"source": from_file(), "transforms": [{"select": "a + 1 AS c"}], "sink": TO_FILE, "on_error": DEAD}
    outcome = await run(tmp_path, spec)
    assert outcome.code == 0, outcome.err
    assert rows(tmp_path / "out.jsonl") == [{"c": 2}, {"c": None}, {"c": 4}]
    assert dead_letters(tmp_path) == [b'{"a": "one"}', b'{"a": [1]}']


async def test_csv_rows_that_do_not_fit_their_header_are_dead_lettered(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,x\n2\n3,y,z\nfour,w\n5,v\n")
    source = {"type": "file", "config": {"path": "in.csv", "format": {"type": "csv", "types": {"a": "bigint"}}}}
    outcome = await run(
        tmp_path, {"source": source, "transforms": [{"filter": "a > 0"}], "sink": TO_FILE, "on_error": DEAD}
    )
    assert outcome.code == 0, outcome.err
    assert rows(tmp_path / "out.jsonl") == [{"a": 1, "b": "x"}, {"a": 5, "b": "v"}]
    assert dead_letters(tmp_path) == [b"2", b"3,y,z", b"four,w"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_waited_for_and_nothing_is_torn_lost_or_doubled(tmp_path: Path, tiny_disk: Path) -> None:
    count = 20_000
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"n": n, "pad": "x" * 80}) + "\n" for n in range(count)))
    spec = {
        "source": from_file(),
        "sink": {"type": "file", "config": {"path": "tiny/out.jsonl"}},
        "retry": SHORT_OF_PATIENCE,
        "checkpoint": {"interval": "10ms"},
    }
    outcome = await run(tmp_path, spec)
    assert_explained(outcome, 1, "sink.file.disk_full")
    subprocess.run(["mount", "-o", "remount,size=16m", tiny_disk], check=True)
    outcome = await run(tmp_path, spec)
    assert outcome.code == 0, outcome.err
    found = [row["n"] for path in sorted(tiny_disk.glob("*.jsonl")) for row in rows(path)]
    assert found == list(range(count))
