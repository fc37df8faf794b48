from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from structlog.testing import capture_logs

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from tests.waiting import until
from wire.core.errors import ConfigError
from wire.testing.clock import VirtualClock

KEY = "a key that is long enough"


def tags(*rows: dict[str, Any], **config: Any) -> list[list[tuple[str, str]]]:
    found = transformed([{"pii": {"action": "tag", **config}}], *rows)
    return [[(tag["column"], tag["kind"]) for tag in row.get("pii", [])] for row in found]


def test_a_tagged_record_says_what_is_where_and_others_stay_as_they_are() -> None:
    rows = [{"note": "ask bob@example.com or al@example.com"}, {"note": "nothing"}, {"user": {"ip": "203.0.113.7"}}]
    assert tags(*rows) == [[("note", "mail")], [], [("user.ip", "ip")]]
    assert transformed([{"pii": {"action": "tag", "tag": "found"}}], rows[1]) == [rows[1]]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"phone": "030 1234567"}, "phone"),
        ({"homePhone": 301234567}, "phone"),
        ({"contact": {"phone_numbers": ["030 1234567"]}}, "phone"),
        ({"CreditCardNo": 4111111111111112}, "card"),
        ({"ssn": "078051120"}, "ssn"),
        ({"e-mail": "bob@localhost"}, "mail"),
        ({"first_name": "Bob"}, "name"),
        ({"lastName": "Smith"}, "name"),
        ({"DOB": "1 May 1990"}, "birth_date"),
        ({"street_address": "1 Main St"}, "address"),
    ],
)
def test_the_name_of_a_column_lowers_what_a_value_must_look_like(row: dict[str, Any], expected: str) -> None:
    ((tag,),) = tags(row)
    assert tag[1] == expected


@pytest.mark.parametrize(
    "row",
    [
        {"email_sent": True}, {"phone": "n/a"}, {"phone": None}, {"phone": ""}, {"mobile": False}, {"card": "gift"},
        {"product_name": "Phone"}, {"order": "030 1234567"}, {"number": 4111111111111111}, {"shipping": "fast"},
        {"zip": "10115"}, {"description": "span"}, {"ip": "v1"}, {"cancelled": 1234567}, {"company": 5}, {"ts": 1e9},
    ],
)  # fmt: skip
def test_a_name_alone_decides_nothing_and_numbers_without_one_are_left_alone(row: dict[str, Any]) -> None:
    assert tags(row) == [[]]


def test_columns_can_be_declared_and_left_out() -> None:
    row = {"c": 7, "user": {"note": "bob@example.com", "mail": "bob@example.com"}, "tags": ["bob@example.com"]}
    assert tags(row, columns={"c": "ssn"}, ignore=["user.note", "tags[]"]) == [[("c", "ssn"), ("user.mail", "mail")]]
    assert tags(row, ignore=["user", "tags"]) == [[]]
    assert tags(row, kinds=["card"]) == [[]]


def test_masking_hides_just_what_was_found() -> None:
    row = {"note": "ask bob@example.com, now", "first_name": "Bob", "phones": ["030 1234567", "none"], "n": 1}
    assert transformed([{"pii": {"action": "mask"}}], row) == [
        {"note": "ask ***, now", "first_name": "***", "phones": ["***", "none"], "n": 1}
    ]


def test_under_a_key_cards_and_mails_become_others_of_their_form() -> None:
    row = {"note": "4111 1111 1111 1111 of bob@example.com", "email": "bob@example.com", "card": 4111111111111111}
    (masked,) = transformed([{"pii": {"action": "mask", "key": KEY}}], row)
    assert masked["note"].endswith(f" 1111 of {masked['email']}")
    assert masked["card"] % 10_000 == 1111
    assert masked["email"].endswith("@example.com")
    assert transformed([{"mask": {"fields": {"email": "mail"}, "key": KEY}}], row)[0]["email"] == masked["email"]


def test_failing_names_the_column_but_never_the_value() -> None:
    result = run(stage({"pii": {"action": "fail"}}), {"a": 1}, {"m": "bob@example.com", "n": "203.0.113.7"}, None)
    assert codes(result) == [(1, "transform.pii.found")]
    assert result.failures[0][1].message == "the record holds something personal: mail in `m`, and 1 more"
    assert written(result) == [{"a": 1}, None]


def test_reporting_changes_nothing() -> None:
    row = {"m": "bob@example.com"}
    assert transformed([{"pii": {}}], row, None) == [row, None]


async def test_the_report_counts_by_column_and_kind_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pii.json"
    compiled = stage({"pii": {"action": "mask", "report": str(path)}})
    run(compiled, {"m": "bob@example.com"}, {"m": "al@example.com, 203.0.113.7"}, {"x": 1})
    run(compiled, {"phones": ["030 1234567"]})
    assert not path.exists()
    with capture_logs() as logs:
        await compiled.close()
    report = json.loads(path.read_bytes())
    assert report == {
        "records": 4,
        "records_with_pii": 3,
        "columns": [
            {"column": "m", "kind": "mail", "by": "value", "values": 2},
            {"column": "m", "kind": "ip", "by": "value", "values": 1},
            {"column": "phones[]", "kind": "phone", "by": "name", "values": 1},
        ],
    }
    assert [(log["event"], log["log_level"], log["records"]) for log in logs] == [("pii_report", "info", 4)]
    assert logs[0]["found"] == {"mail in m": 2, "ip in m": 1, "phone in phones[]": 1}
    assert "bob" not in str(logs) + path.read_text()


async def test_stages_of_several_sources_count_into_one_report(tmp_path: Path) -> None:
    path = tmp_path / "pii.json"
    stages = [stage({"pii": {"report": str(path)}}) for _ in range(2)]
    for compiled in stages:
        run(compiled, {"m": "bob@example.com"})
    for compiled in stages:
        await compiled.close()
    assert json.loads(path.read_bytes())["columns"][0]["values"] == 2
    again = stage({"pii": {"report": str(path)}})
    run(again, {"m": "bob@example.com"})
    await again.close()
    assert json.loads(path.read_bytes())["columns"][0]["values"] == 1


async def test_a_long_run_reports_every_minute_without_blocking(tmp_path: Path) -> None:
    path, clock = tmp_path / "pii.json", VirtualClock()
    compiled = stage({"pii": {"report": str(path)}}, clock=clock)
    run(compiled, {"m": "bob@example.com"})
    await clock.advance(60)
    with blockbuster_ctx(scanned_modules=["wire"]):
        run(compiled, {"m": "bob@example.com"})
    await until(path.exists)
    assert json.loads(path.read_bytes())["records"] == 2


async def test_a_report_that_cannot_be_written_is_logged_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    compiled = stage({"pii": {"report": str(tmp_path / "file" / "pii.json")}})
    run(compiled, {"m": "bob@example.com"})
    with capture_logs() as logs:
        await compiled.close()
    assert [log["event"] for log in logs] == ["pii_report", "pii_report_failed"]


async def test_columns_are_bounded_however_many_names_the_data_has() -> None:
    compiled = stage({"pii": {}})
    run(compiled, *({f"m{i}": "bob@example.com"} for i in range(1500)))
    with capture_logs() as logs:
        await compiled.close()
    assert logs[0]["found"]["mail in (others)"] == 500
    assert len(logs[0]["found"]) == 20


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"kinds": []}, ".kinds"),
        ({"kinds": ["mails"]}, ".kinds[0]"),
        ({"action": "tag", "key": KEY}, ".key"),
        ({"action": "mask", "key": "short"}, ".key"),
        ({"columns": {"a": "text"}}, ".columns.a"),
        ({"action": "hide"}, ".action"),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"pii": config})
    assert finding(caught.value)[1] == f"$.transforms[0].pii{path}"


@pytest.mark.parametrize(
    ("action", "row", "level"),
    [
        ("report", {"m": "bob@example.com"}, "warning"),
        ("tag", {"m": "bob@example.com"}, "warning"),
        ("report", {"m": "nothing"}, "info"),
        ("mask", {"m": "bob@example.com"}, "info"),
        ("fail", {"m": "bob@example.com"}, "info"),
    ],
)
async def test_personal_values_that_are_passed_on_are_a_warning(action: str, row: Any, level: str) -> None:
    compiled = stage({"pii": {"action": action}})
    run(compiled, row)
    with capture_logs() as logs:
        await compiled.close()
    assert [log["log_level"] for log in logs] == [level]
