"""What a document of one store holds that another refuses."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.lint.kit import check, only

SOURCE = "uri: '${env:URI}', database: shop, collection: orders"


def pipeline(transforms: str = "[]", source: str = SOURCE) -> str:
    return (
        f"name: mirror\nsource: {{type: mongodb, config: {{{source}}}}}\ntransforms: {transforms}\n"
        "sink: {type: elasticsearch, config: {url: 'http://localhost:9200', index: orders, id: meta_key()}}\n"
    )


@pytest.mark.parametrize(
    "transforms", ["[]", "[filter: 'a > 1', drop: [b]]", "[select: '*, a AS b']", "[select: '_id, a']"]
)
def test_an_id_within_the_document_is_warned_of_with_what_to_do(transforms: str) -> None:
    result = check(pipeline(transforms), URI="mongodb://localhost")
    finding = only(result)
    assert (finding.severity, finding.code, finding.path) == ("warning", "config.conflict", "$.sink")
    assert "drop: [_id]" in finding.hint


@pytest.mark.parametrize(
    "transforms", ["[drop: [_id]]", "[select: 'a, b']", "[select: '* EXCLUDE (_id)']", "[rename: {_id: id}]"]
)
def test_an_id_that_is_taken_away_is_not(transforms: str) -> None:
    assert not check(pipeline(transforms), URI="mongodb://localhost").findings


@pytest.mark.parametrize("more", ["value: event", "pipeline: [{$unset: fullDocument._id}]"])
def test_a_source_that_gives_no_id_is_not(more: str) -> None:
    assert not check(pipeline(source=f"{SOURCE}, {more}"), URI="mongodb://localhost").findings
