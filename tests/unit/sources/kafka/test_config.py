"""The source's configuration: what goes together."""

from __future__ import annotations

from typing import Any

import pytest

from wire.core.config import parse
from wire.core.errors import Finding
from wire.core.plugins import ComponentContext
from wire.sources.kafka import PLUGIN


def parsed(**data: Any) -> tuple[Any, list[Finding]]:
    findings: list[Finding] = []
    return parse(PLUGIN.config, {"bootstrap_servers": "a:1", **data}, "$", findings), findings


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "exactly one of `topic`, `topics` and `topic_pattern`"),
        ({"topic": "a", "topics": ["b"]}, "exactly one of"),
        ({"topics": []}, "`topics` is empty"),
        ({"topic_pattern": "a("}, "not a regular expression"),
        ({"topic": "a", "start": "group"}, "needs a `group`"),
        ({"topic": "a", "start": "2024-05-01T00:00:00"}, "the time has no zone"),
        ({"topic": "a", "start": "yesterday"}, "expected"),
        ({"topic": "a", "isolation": "none"}, "read_committed"),
        ({"topic": "a", "bootstrap_servers": "nowhere"}, "host:port"),
    ],
)
def test_mistakes_are_named(data: dict[str, Any], said: str) -> None:
    config, findings = parsed(**data)
    assert config is None
    assert said in findings[0].message


@pytest.mark.parametrize("start", ["earliest", "latest", "2024-05-01T00:00:00Z", "2024-05-01T02:00:00+02:00"])
def test_a_start_is_a_word_or_a_time(start: str) -> None:
    config, findings = parsed(topic="a", start=start)
    assert not findings
    assert config is not None


async def test_the_fingerprint_names_the_topics_however_they_are_written() -> None:
    def fingerprint(**data: Any) -> bytes:
        config, findings = parsed(**data)
        assert not findings
        return bytes(PLUGIN.build(config, ComponentContext("p", "kafka")).fingerprint())

    assert fingerprint(topic="a") == fingerprint(topics=["a"]) == fingerprint(topic="a", bootstrap_servers="b:2,c:3")
    assert fingerprint(topics=["a", "b"]) == fingerprint(topics=["b", "a"])
    assert len({fingerprint(topic="a"), fingerprint(topic="b"), fingerprint(topic_pattern="a")}) == 3
