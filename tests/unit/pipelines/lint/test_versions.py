"""Documents that change need versions that rise with their changes."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.lint.kit import GOOD, KAFKA, check, only

CONFIG = "url: 'http://localhost:9200', index: flights"


def sink(more: str) -> str:
    head, _, _ = GOOD.partition("sink:")
    return f"{head}sink: {{type: elasticsearch, config: {{{CONFIG}{more}}}}}\n"


@pytest.mark.parametrize(
    "more",
    [
        "",
        ", id: meta_key()",
        ", id: \"'flight-' || meta_key()\"",
        ", id: carrier, version: dep_time",
        ", id: carrier, op: update",
        ", id: carrier, op: create",
        ", id: carrier, data_stream: true",
    ],
)
def test_versions_that_rise_with_the_changes(more: str) -> None:
    assert not check(sink(more)).findings


@pytest.mark.parametrize("id_", ["carrier", "carrier || meta_key()", "header('id')"])
def test_an_id_from_elsewhere_than_the_key_needs_a_version(id_: str) -> None:
    finding = only(check(sink(f', id: "{id_}"')))
    assert (finding.code, finding.path) == ("config.missing", "$.sink.config.version")


def test_an_id_that_is_wrong_is_reported_once() -> None:
    assert only(check(sink(', id: "carrier ||"'))).code == "expression.syntax"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        (", version: dep_time", "version"),
        (", id: carrier, op: update, version: dep_time", "version"),
        (", id: carrier, data_stream: true, version: dep_time", "version"),
        (", op: delete", "op"),
        (", data_stream: true, op: update", "op"),
    ],
)
def test_what_elasticsearch_would_refuse_is_reported_at_the_field(more: str, field: str) -> None:
    finding = only(check(sink(more)))
    assert (finding.code, finding.path) == ("config.invalid", f"$.sink.config.{field}")
    assert finding.hint


def test_records_of_several_sources_have_no_common_order() -> None:
    sources = "".join(f"  - {{name: {name}, type: kafka, config: {KAFKA}}}\n" for name in ("one", "two"))
    text = sink(", id: meta_key()").replace(f"source: {{type: kafka, config: {KAFKA}}}\n", f"sources:\n{sources}")
    finding = only(check(text))
    assert (finding.code, finding.path) == ("config.missing", "$.sink.config.version")


MONGODB = "{uri: '${env:MONGODB}', database: d, collection: c}"


@pytest.mark.parametrize(("version_type", "codes"), [("external_gte", []), ("external", ["config.conflict"])])
def test_changes_of_one_transaction_share_a_version(version_type: str, codes: list[str]) -> None:
    source = f"source: {{type: mongodb, config: {MONGODB}}}\n"
    text = sink(f", id: meta_key(), version_type: {version_type}").replace("drop: [", "drop: [_id, ")
    findings = check(
        text.replace(f"source: {{type: kafka, config: {KAFKA}}}\n", source), MONGODB="mongodb://localhost"
    ).findings
    assert [finding.code for finding in findings] == codes
