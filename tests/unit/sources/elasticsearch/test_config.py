"""What a configuration of the Elasticsearch source may say, and what a position is."""

from __future__ import annotations

from typing import Any

import pytest

from wire.core.config import parse
from wire.core.errors import FatalError, Finding
from wire.core.plugins import ComponentContext
from wire.core.records import Position
from wire.sources.elasticsearch import PLUGIN
from wire.sources.elasticsearch.position import ShardPosition

GOOD = {"url": "http://localhost:9200", "index": "flights"}


def parsed(**config: Any) -> tuple[Any, list[Finding]]:
    findings: list[Finding] = []
    return parse(PLUGIN.config, GOOD | config, "$", findings), findings


def fingerprint(**config: Any) -> bytes:
    source = PLUGIN.build(parsed(**config)[0], ComponentContext("test", "elasticsearch"))
    return bytes(source.fingerprint())


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"index": ""}, "$.index"),
        ({"index": []}, "$.index"),
        ({"index": " , "}, "$.index"),
        ({"keep_alive": "1s"}, "$.keep_alive"),
        ({"page_records": 0}, "$.page_records"),
        ({"page_records": 10_001}, "$.page_records"),
        ({"query": "carrier: UA"}, "$.query"),
    ],
)
def test_what_can_not_be_meant_is_refused_where_it_is(config: dict[str, Any], path: str) -> None:
    _, findings = parsed(**config)
    assert [finding.path for finding in findings] == [path]


def test_names_may_be_a_list_or_stand_between_commas() -> None:
    assert parsed(index=["a", " b"])[0].names == parsed(index="a, b")[0].names == ["a", "b"]


def test_another_query_or_index_is_another_source_and_everything_else_is_not() -> None:
    assert fingerprint() == fingerprint(url="http://elsewhere:9200", page_records=5)
    assert fingerprint(index="a,b") == fingerprint(index=["b", "a"])
    assert fingerprint(query={"a": 1, "b": 2}) == fingerprint(query={"b": 2, "a": 1})
    assert len({fingerprint(), fingerprint(index="other"), fingerprint(query={"a": 1})}) == 3


def test_a_position_is_read_as_it_was_written_and_nothing_else_is_one() -> None:
    position = ShardPosition("uuid", 42)
    assert ShardPosition.decode(position.encode()) == position
    with pytest.raises(FatalError) as caught:
        ShardPosition.decode(Position(b"other"))
    assert caught.value.code == "source.elasticsearch.position_invalid"
