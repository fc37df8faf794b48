"""What answers to bulk requests mean, document by document."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wire.core.errors import FatalError, RecordError, RetryableError, UnavailableError
from wire.sinks.elasticsearch.actions import Action
from wire.sinks.elasticsearch.verdicts import Item, outcome, read

CONFLICT = "[k]: version conflict, current version [{}] is higher than the one provided [{}]"


def action(op: str = "index", index: str | None = None, version: int | None = 1) -> Action:
    return Action(0, b"", op, "k", index, version)


def item(status: int, type_: str | None = None, reason: str = "") -> Item:
    error = {"type": type_, "reason": reason} if type_ else None
    return msgspec.convert({"status": status, "error": error}, Item)


@pytest.mark.parametrize(
    ("op", "version", "status", "reason", "expected"),
    [
        ("index", 1, 200, "", "written"),
        ("delete", 1, 404, "", "written"),
        ("create", None, 409, "document already exists", "replayed"),
        ("index", 3, 409, CONFLICT.format(3, 3), "replayed"),
        ("index", 3, 409, CONFLICT.format(5, 3), "superseded"),
        ("delete", 3, 409, CONFLICT.format(5, 3), "superseded"),
    ],
)
def test_what_counts_as_written(op: str, version: int | None, status: int, reason: str, expected: str) -> None:
    answer = item(status, "version_conflict_engine_exception" if status == 409 else None, reason)
    assert outcome(action(op, version=version), answer) == expected


PER_ITEM: list[tuple[int, str, Any, str]] = [
    (400, "document_parsing_exception", RecordError, "sink.elasticsearch.refused"),
    (400, "strict_dynamic_mapping_exception", RecordError, "sink.elasticsearch.refused"),
    (429, "es_rejected_execution_exception", RetryableError, "sink.elasticsearch.busy"),
    (503, "unavailable_shards_exception", RetryableError, "sink.elasticsearch.busy"),
    (500, "something_new", RetryableError, "sink.elasticsearch.busy"),
    (403, "cluster_block_exception", RetryableError, "sink.elasticsearch.blocked"),
    (429, "cluster_block_exception", RetryableError, "sink.elasticsearch.blocked"),
    (404, "index_not_found_exception", RetryableError, "sink.elasticsearch.missing_index"),
    (400, "index_closed_exception", RetryableError, "sink.elasticsearch.missing_index"),
    (403, "security_exception", UnavailableError, "sink.elasticsearch.authorization"),
]


@pytest.mark.parametrize(("status", "type_", "kind", "code"), PER_ITEM)
def test_what_does_not(status: int, type_: str, kind: Any, code: str) -> None:
    error = outcome(action(), item(status, type_, "why"))
    assert (type(error), getattr(error, "code", None)) == (kind, code)
    assert "why" in str(error)


@pytest.mark.parametrize("type_", ["index_not_found_exception", "index_closed_exception"])
def test_an_index_that_a_record_named_is_the_records_fault(type_: str) -> None:
    assert isinstance(outcome(action(index="i"), item(404, type_)), RecordError)


def test_too_many_shards_pass() -> None:
    reason = (
        "this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;"
    )
    assert isinstance(outcome(action(), item(400, "validation_exception", reason)), RetryableError)


def test_a_data_stream_that_was_not_said_to_be_one_is_no_records_fault() -> None:
    error = outcome(
        action(),
        item(400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"),
    )
    assert type(error) is FatalError
    assert error.hint == "set data_stream: true"


def test_an_update_that_met_another_is_repeated() -> None:
    assert isinstance(
        outcome(action("update", version=None), item(409, "version_conflict_engine_exception")), RetryableError
    )


def test_reasons_behind_reasons_are_told_once() -> None:
    body = b"""{"took":1,"errors":true,"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"a",
        "reason":"outer","caused_by":{"type":"b","reason":"outer","caused_by":{"type":"c","reason":"inner"}}}}}]}"""
    items = read(body)
    assert items is not None
    error = outcome(action(), items[1])
    assert isinstance(error, RecordError)
    assert error.message == "outer: inner"


def test_items_are_not_looked_at_where_all_went_well() -> None:
    assert read(b'{"took":1,"errors":false,"items":[{"nonsense":1}]}') is None


def test_a_document_with_a_field_that_elasticsearch_keeps_for_itself_is_told_to_drop_it() -> None:
    reason = "[1:8] Field [_id] is a metadata field and cannot be added inside a document."
    error = outcome(action(), item(400, "document_parsing_exception", reason))
    assert isinstance(error, RecordError)
    assert error.hint == "add `- drop: [_id]` to the transforms; the document's id comes from `id`"
