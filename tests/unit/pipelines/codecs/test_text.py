from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import JSON, codes, finding, run, stage, written
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat, RawFormat, TextFormat
from wire.pipelines.plan import OutputPlan

TEXT = OutputPlan("out", TextFormat())
RAW = OutputPlan("out", RawFormat())


def test_text_is_one_field() -> None:
    compiled = stage({"filter": "value LIKE '%warn%'"}, {"select": "upper(value) AS line, other"}, source=TextFormat())
    assert written(run(compiled, b"a warning", b"fine", "über warn".encode())) == [
        {"line": "A WARNING", "other": None},
        {"line": "ÜBER WARN", "other": None},
    ]
    assert written(run(stage(source=TextFormat()), b"x")) == [{"value": "x"}]


def test_text_that_is_not_utf8_fails_its_record() -> None:
    result = run(stage(source=TextFormat()), b"a\xffb", b"c")
    assert codes(result) == [(0, "record.decode")]
    assert result.failures[0][1].message == "the value is not UTF-8 text: invalid start byte at byte 1"


@pytest.mark.parametrize("transforms", [[{"select": "a AS value"}], [{"select": "*, a AS value"}, {"drop": ["a"]}]])
def test_text_is_written_from_one_field_of_any_type(transforms: list[dict[str, Any]]) -> None:
    result = run(stage(*transforms, outputs=[TEXT]), {"a": "x"}, {"a": 1}, {"a": True}, {"a": None})
    assert [record.value for record in result.outputs[0].records] == [b"x", b"1", b"true"]
    assert codes(result) == [(3, "record.encode")]


def test_text_has_no_room_for_other_fields() -> None:
    assert codes(run(stage(outputs=[TEXT]), {"value": "x", "a": 1})) == [(0, "record.unknown_column")]
    with pytest.raises(ConfigError) as caught:
        stage({"select": "a, b"}, outputs=[TEXT])
    assert finding(caught.value) == ("format.unwritable", "$.sink.config.format")


def test_raw_bytes_pass_and_have_only_metadata() -> None:
    compiled = stage(source=RawFormat(), outputs=[RAW])
    values = [b"\x00\xff", b"", b"{}"]
    assert [record.value for record in run(compiled, *values).outputs[0].records] == values
    for transform in ({"filter": "a = 1"}, {"select": "a"}):
        with pytest.raises(ConfigError) as caught:
            stage(transform, source=RawFormat(), outputs=[RAW])
        assert caught.value.findings[0].code in ("format.unreadable", "format.unwritable")


@pytest.mark.parametrize("source", [JSON, TextFormat(), CsvFormat()])
def test_anything_unchanged_can_be_written_raw(source: Any) -> None:
    assert [record.value for record in run(stage(source=source, outputs=[RAW]), b"{").outputs[0].records] == [b"{"]


def test_what_was_changed_has_no_raw_bytes() -> None:
    with pytest.raises(ConfigError) as caught:
        stage({"drop": ["a"]}, outputs=[RAW])
    assert finding(caught.value) == ("format.unwritable", "$.sink.config.format")


def test_raw_bytes_are_not_taken_for_json() -> None:
    with pytest.raises(ConfigError) as caught:
        stage(source=RawFormat())
    assert finding(caught.value) == ("format.unreadable", "$.source.config.format")
