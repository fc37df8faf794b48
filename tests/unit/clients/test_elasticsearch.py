"""Where the cluster is and who we are, as users write it."""

from __future__ import annotations

from typing import Any

import pytest

from wire.clients.elasticsearch import ElasticsearchConnection
from wire.core.config import parse
from wire.core.errors import Finding

CLOUD = "d:bG9jYWxob3N0JGFiYyRkZWY="


def parsed(**data: Any) -> tuple[Any, list[Finding]]:
    findings: list[Finding] = []
    return parse(ElasticsearchConnection, data, "$", findings), findings


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("http://localhost:9200", ["http://localhost:9200"]),
        ("http://localhost", ["http://localhost:9200"]),
        ("https://search.example.org/", ["https://search.example.org:443"]),
        ("https://proxy:8443/es/", ["https://proxy:8443/es"]),
        (["http://a:1", " http://b:2 "], ["http://a:1", "http://b:2"]),
        ("http://[::1]:9200", ["http://[::1]:9200"]),
    ],
)
def test_addresses(url: Any, urls: list[str]) -> None:
    config, findings = parsed(url=url)
    assert not findings
    assert config.urls == urls


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"url": "http://localhost:9200", "cloud_id": CLOUD},
        {"url": []},
        {"url": " "},
        {"url": "localhost:9200"},
        {"url": "localhost"},
        {"url": "ftp://localhost:9200"},
        {"url": "http://localhost:port"},
        {"url": "http://:9200"},
        {"url": "http://user:hunter2@localhost:9200"},
        {"url": "http://a:1", "api_key": "k", "username": "u", "password": "p"},
        {"url": "http://a:1", "username": "u"},
        {"url": "http://a:1", "password": "hunter2"},
        {"url": "https://a:1", "tls": {"key": "k.pem"}},
    ],
)
def test_what_does_not_go_together_is_told_with_what_to_do(data: dict[str, Any]) -> None:
    _, (finding,) = parsed(**data)
    assert finding.code == "config.invalid"
    assert finding.hint
    assert "hunter2" not in str(finding)


def test_log_ins() -> None:
    url = {"url": "http://a:1"}
    assert parsed(**url)[0].headers() == {}
    assert parsed(**url, api_key="abc")[0].headers() == {"authorization": "ApiKey abc"}
    assert parsed(**url, username="é", password="p")[0].headers() == {"authorization": "Basic w6k6cA=="}
    assert "hunter2" not in repr(parsed(**url, username="u", password="hunter2")[0])
