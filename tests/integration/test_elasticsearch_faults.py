"""Bulk requests that are refused, in part or whole, or not answered: only what failed is sent again."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.e2e.command import rows, wire
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.elasticsearch_faults import REFUSALS, ElasticsearchFaults, Fault

pytestmark = [pytest.mark.elasticsearch, pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(600)]

FAULT_S = 60.0 if "WIRE_CHAOS_KILLS" in os.environ else 3.0
COUNT = 6_000
BAD = range(7, COUNT, 500)


@pytest.fixture(params=get_args(Fault))
def faults(request: pytest.FixtureRequest, elasticsearch: Elasticsearch) -> Iterator[ElasticsearchFaults]:
    with ElasticsearchFaults(elasticsearch.url, request.param, FAULT_S) as server:
        yield server


def spec(url: str, index: str) -> dict[str, Any]:
    return {
        "name": "faults",
        "source": {"type": "file", "config": {"path": "in.jsonl"}},
        "sink": {"type": "elasticsearch", "config": {"url": url, "index": index, "timeout": "1s"}},
        "batch": {"max_records": 100},
        "retry": {"initial": "100ms", "max": "500ms"},
        "checkpoint": {"interval": "100ms"},
        "on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "dead.jsonl"}}},
    }


async def test_only_what_failed_is_sent_again_and_counts_are_exact(
    faults: ElasticsearchFaults, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    index = await elasticsearch.create_index({"properties": {"n": {"type": "long"}, "v": {"type": "long"}}})
    values = ({"n": n, "v": "bad" if n in BAD else n} for n in range(COUNT))
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(value)}\n" for value in values))
    (tmp_path / "pipeline.yaml").write_text(json.dumps(spec(faults.url, index)))
    async with asyncio.timeout(500):
        done = await wire("run", "pipeline.yaml", "--until-eof", cwd=tmp_path)
    assert done.code == 0, done.err
    assert faults.spoilt > 0
    found = [document["n"] for document in (await elasticsearch.documents(index)).values()]
    assert sorted(found) == [n for n in range(COUNT) if n not in BAD]
    assert sorted(json.loads(letter["value"])["n"] for letter in rows(tmp_path / "dead.jsonl")) == list(BAD)
    if faults.fault == "some busy":
        assert set(faults.passed.values()) == {1}, "what was taken, or refused for good, was sent again"
        assert set(faults.refused.values()) == {REFUSALS}
        assert faults.sent.total() == COUNT + REFUSALS * (COUNT // 10)
    elif faults.fault == "busy":
        assert set(faults.passed.values()) == {1}
