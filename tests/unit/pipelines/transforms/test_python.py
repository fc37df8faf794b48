from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from wire.core.errors import ConfigError, RecordError


def double(rows: list[dict[str, Any]]) -> list[Any]:
    for row in rows:
        row["a"] *= 2
        if "inner" in row:
            row["inner"]["seen"].append(row["a"])
    return rows


def odd_only(rows: list[dict[str, Any]]) -> list[Any]:
    return [OrderedDict(row) if row["a"] % 2 else None for row in rows]


def picky(rows: list[dict[str, Any]]) -> list[Any]:
    for row in rows:
        if row.get("a") == "record":
            raise RecordError("record.encode", "mine")
        row["a"] += 1
    return rows


def too_few(rows: list[dict[str, Any]]) -> list[Any]:
    return rows[1:]


def numbers(rows: list[dict[str, Any]]) -> list[Any]:
    return [1 if row.get("a") else row for row in rows]


def leaving(rows: list[dict[str, Any]]) -> list[Any]:
    raise SystemExit(3)


def giving_up(rows: list[dict[str, Any]]) -> list[Any]:
    raise asyncio.CancelledError


def interrupted(rows: list[dict[str, Any]]) -> list[Any]:
    raise KeyboardInterrupt


async def later(rows: list[dict[str, Any]]) -> list[Any]:
    return rows


def here(name: str) -> dict[str, Any]:
    return {"python": f"{__name__}:{name}"}


def test_a_function_sees_decoded_records_and_changes_them() -> None:
    steps = [
        {"filter": "a > 0"},
        {"select": "a, 1 AS b"},
        here("double"),
        {"filter": "a > 2"},
        {"select": "*, a + b AS c"},
    ]
    assert transformed(steps, {"a": 0}, {"a": 1}, {"a": 2}) == [{"a": 4, "b": 1, "c": 5}]


def test_none_drops_a_record() -> None:
    result = run(stage(here("odd_only")), {"a": 1}, {"a": 2}, {"a": 3})
    assert written(result) == [{"a": 1}, {"a": 3}]
    assert (result.filtered, result.failures) == (1, [])


def test_only_records_for_which_it_raises_fail_and_the_others_are_changed_once() -> None:
    rows = [{"a": 1}, {"a": None}, {"a": 2}, {"a": "record"}, {}]
    result = run(stage(here("picky"), here("double")), *rows)
    assert [row["a"] for row in written(result)] == [4, 6]
    assert codes(result) == [(1, "transform.python.failed"), (3, "record.encode"), (4, "transform.python.failed")]
    assert "TypeError" in result.failures[0][1].message


def test_a_function_that_would_end_the_process_fails_its_records() -> None:
    result = run(stage(here("leaving")), {"a": 1})
    assert codes(result) == [(0, "transform.python.failed")]
    assert "SystemExit" in result.failures[0][1].message


def test_a_function_that_would_make_the_task_look_cancelled_fails_its_records() -> None:
    result = run(stage(here("giving_up")), {"a": 1})
    assert codes(result) == [(0, "transform.python.failed")]
    assert "CancelledError" in result.failures[0][1].message


def test_values_inside_values_are_changed_once_too() -> None:
    result = run(stage(here("double")), {"a": 1, "inner": {"seen": []}}, {"inner": {}})
    assert written(result) == [{"a": 2, "inner": {"seen": [2]}}]
    assert codes(result) == [(1, "transform.python.failed")]


@pytest.mark.parametrize(("name", "failing"), [("too_few", [0, 1]), ("numbers", [0])])
def test_a_function_that_breaks_its_contract_fails_the_records(name: str, failing: list[int]) -> None:
    result = run(stage(here(name)), {"a": 1}, {"a": 0})
    assert codes(result) == [(index, "transform.python.result") for index in failing]


def test_it_is_not_called_for_tombstones() -> None:
    assert transformed([here("double")], None, {"a": 1}, None)[::2] == [None, None]


def test_interrupts_pass() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(stage(here("interrupted")), {"a": 1})


def test_failures_of_all_steps_are_counted_once() -> None:
    steps = [
        {"select": "CAST(a AS BIGINT) AS a"},
        here("double"),
        {"filter": "a > 2"},
        {"select": "CAST(b AS DATE) AS b"},
    ]
    result = run(stage(*steps), {"a": "x"}, {"a": None}, {"a": "1"}, {"a": "2"})
    assert sorted(codes(result)) == [(0, "expression.cast"), (1, "transform.python.failed")]
    assert (result.filtered, len(written(result))) == (1, 1)


def test_modules_are_found_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wire_test_module.py").write_text("def f(rows):\n    return [{'n': len(rows)} for _ in rows]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "wire_test_module", raising=False)
    assert transformed([{"python": "wire_test_module:f"}], {}, {}) == [{"n": 2}, {"n": 2}]


def test_nothing_is_imported_before_it_is_compiled() -> None:
    node({"python": "no_such_module:f"})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:f", "the module `no_such_module` can't be imported"),
        (f"{__name__}:no_such", "has no function `no_such`"),
        (f"{__name__}:__name__", "has no function"),
        (f"{__name__}:later", "is async"),
    ],
)
def test_mistakes_are_found_when_it_is_compiled(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stage({"python": name})
    assert finding(caught.value) == ("config.invalid", "$.transforms[0].python")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["json", "json:", ":dumps", ""])
def test_it_must_name_a_function(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"python": name})
    assert finding(caught.value) == ("config.invalid", "$.transforms[0].python")
