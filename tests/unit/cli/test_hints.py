"""What users get wrong most is answered with what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from wire.core import plugins
from wire.core.config import parse
from wire.core.errors import Finding

KAFKA = {"bootstrap_servers": "a:1"}
SASL = {"mechanism": "PLAIN", "username": "u", "password": "p"}


@pytest.mark.parametrize(
    ("kind", "name", "config", "hint"),
    [
        ("source", "kafka", KAFKA, "topic: flights"),
        ("source", "kafka", KAFKA | {"topics": []}, "[flights]"),
        ("source", "kafka", KAFKA | {"topic_pattern": "a(?=b)"}, "no look-around"),
        ("source", "kafka", KAFKA | {"topic": "a", "start": "group"}, "consumer group"),
        ("source", "kafka", KAFKA | {"topic": "a", "start": "2024-05-01T00:00:00"}, "00:00:00Z"),
        ("source", "kafka", {"topic": "a", "bootstrap_servers": "nowhere"}, "localhost:9092"),
        ("source", "kafka", {"topic": "a", "bootstrap_servers": []}, "localhost:9092"),
        ("sink", "kafka", KAFKA | {"topic": "a", "security": {"protocol": "SASL_SSL"}}, "mechanism"),
        ("sink", "kafka", KAFKA | {"topic": "a", "security": {"protocol": "SSL", "sasl": SASL}}, "leave out"),
        ("sink", "kafka", KAFKA | {"topic": "a", "security": {"protocol": "PLAINTEXT", "tls": {}}}, "leave out"),
        ("sink", "kafka", KAFKA | {"topic": "a", "security": {"tls": {"key": "k"}}}, "`cert`"),
        ("sink", "file", {"path": "out/"}, "out/flights.jsonl"),
        ("sink", "file", {"path": "a", "format": "csv"}, "columns: [id, name]"),
        ("sink", "file", {"path": "a", "rotate": {}}, "max_size: 100MB"),
        ("source", "generate", {"fields": {}}, "id: sequence"),
        ("source", "generate", {"rate": 0}, "no limit"),
        ("source", "generate", {"fields": {"a": {"type": "integer", "min": 200}}}, "default"),
        ("source", "generate", {"fields": {"a": {"type": "choice", "values": []}}}, "[red, green]"),
        ("source", "generate", {"fields": {"a": {"type": "choice", "values": [1], "weights": []}}}, "0 weights"),
        ("source", "generate", {"fields": {"a": {"type": "choice", "values": [1], "weights": [0]}}}, "evenly"),
    ],
)
def test_fields_that_do_not_go_together(kind: plugins.Kind, name: str, config: dict[str, Any], hint: str) -> None:
    findings: list[Finding] = []
    assert parse(plugins.load(kind, name).config, config, "$", findings) is None
    assert hint in str(findings[0].hint)
