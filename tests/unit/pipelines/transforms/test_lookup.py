from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from structlog.testing import capture_logs

from tests.unit.pipelines.transforms.kit import codes, finding, node, run, stage, transformed, written
from tests.waiting import until
from wire.core.errors import ConfigError, UnavailableError
from wire.testing.clock import VirtualClock

AIRLINES = "carrier,name,since\nUA,United Air Lines Inc.,1926\nB6,JetBlue Airways,\n"


@pytest.fixture
def airlines(tmp_path: Path) -> Path:
    path = tmp_path / "airlines.csv"
    path.write_text(AIRLINES)
    return path


def lookup(file: Path, **config: Any) -> dict[str, Any]:
    return {"lookup": {"file": str(file), "key": "carrier", "select": "name AS airline", **config}}


def test_a_row_adds_what_is_selected_of_it(airlines: Path) -> None:
    rows = [{"carrier": "UA", "airline": "?"}, {"carrier": "B6"}]
    assert transformed([lookup(airlines)], *rows) == [
        {"carrier": "UA", "airline": "United Air Lines Inc."},
        {"carrier": "B6", "airline": "JetBlue Airways"},
    ]


def test_what_is_selected_may_be_computed_and_typed(airlines: Path) -> None:
    config = {"select": "upper(name) AS name, since + 1 AS next, since IS NULL AS new", "types": {"since": "bigint"}}
    steps = [lookup(airlines, **config), {"select": "name, next, new"}]
    assert transformed(steps, {"carrier": "UA"}, {"carrier": "B6"}) == [
        {"name": "UNITED AIR LINES INC.", "next": 1927, "new": False},
        {"name": "JETBLUE AIRWAYS", "next": None, "new": True},
    ]


@pytest.mark.parametrize("carrier", [None, "XX", "", 7, ...])
def test_a_record_without_a_match_is_kept_dropped_or_fails(airlines: Path, carrier: Any) -> None:
    row = {"n": 1} if carrier is ... else {"n": 1, "carrier": carrier}
    assert transformed([lookup(airlines)], row) == [{**row, "airline": None}]
    dropped = run(stage(lookup(airlines, missing="drop")), row, {"carrier": "UA"})
    assert (dropped.filtered, len(written(dropped))) == (1, 1)
    failed = run(stage(lookup(airlines, missing="fail")), row, {"carrier": "UA"})
    assert codes(failed) == [(0, "transform.lookup.no_match")]
    assert len(written(failed)) == 1


def test_keys_may_be_computed_and_columns_be_named(airlines: Path) -> None:
    step = lookup(airlines, key="upper(trim(code))", column="carrier")
    assert transformed([step, {"select": "airline"}], {"code": " ua "}) == [{"airline": "United Air Lines Inc."}]


def test_a_number_finds_a_number(airlines: Path) -> None:
    step = lookup(airlines, key="year", column="since", types={"since": "bigint"}, select="carrier")
    assert transformed([step], {"year": 1926}) == [{"year": 1926, "carrier": "UA"}]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", '[{"carrier": "UA", "name": "United"}, {"carrier": null, "name": "?"}]'),
        (".jsonl", '{"carrier": "UA", "name": "United"}\n\n{"carrier": "UA", "name": "United", "more": [1]}\n'),
        (".csv", "\ufeffname,carrier\nUnited,UA\n"),
    ],
)
def test_files_of_each_kind_are_read(tmp_path: Path, suffix: str, text: str) -> None:
    file = tmp_path / f"table{suffix}"
    file.write_text(text)
    assert transformed([lookup(file)], {"carrier": "UA"}) == [{"carrier": "UA", "airline": "United"}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "code,name\nUA,United\n", "row 1 has no `carrier`"),
        ("t.csv", "carrier,name\nUA\n", "row 1 has 1 cells, and there are 2 columns"),
        ("t.csv", 'carrier,name\nUA,"United\n', "unexpected end of data"),
        ("t.csv", "carrier,name\nUA,United\nUA,Untied\n", "row 2: there is another row for 'UA', with other values"),
        ("t.json", '{"UA": "United"}', "Expected `array`"),
        ("t.json", "[1]", "Expected `object`"),
        ("t.jsonl", "{", "truncated"),
        ("t.json", '[{"carrier": ["UA"]}]', "row 1: `carrier` is not a single value"),
        ("t.json", '[{"carrier": "UA", "name": {}}]', "row 1: "),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, name: str, text: str, message: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(UnavailableError, match=r"transform\.lookup\.invalid") as caught:
        stage(lookup(file, select="upper(name) AS airline"))
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_cell_that_is_not_of_its_type_names_row_and_column(airlines: Path) -> None:
    with pytest.raises(UnavailableError, match=r"row 1: column `name`: 'United Air Lines Inc\.' is not a bigint"):
        stage(lookup(airlines, types={"name": "bigint"}))


def test_a_missing_file_stops_the_start_but_not_lint(tmp_path: Path) -> None:
    step = lookup(tmp_path / "none.csv")
    node(step)
    with pytest.raises(UnavailableError, match=r"transform\.lookup\.unreadable"):
        stage(step)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"key": "upper(carrier)"}, ".column"),
        ({"key": "carrier +"}, ".key"),
        ({"select": "*"}, ".select"),
        ({"select": "name +"}, ".select"),
        ({"select": "meta_offset() AS o"}, ".select"),
        ({"missing": "ignore"}, ".missing"),
        ({"types": {"name": "text"}}, ".types.name"),
    ],
)
def test_mistakes_are_found_when_it_is_built(airlines: Path, config: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node(lookup(airlines, **config))
    assert finding(caught.value)[1] == f"$.transforms[0].lookup{path}"


# a file that changes


class Followed:
    """A stage with a lookup whose clock the test turns."""

    def __init__(self, file: Path) -> None:
        self.clock = VirtualClock()
        self.stage = stage(lookup(file), clock=self.clock)

    def airline(self) -> Any:
        return written(run(self.stage, {"carrier": "UA"}))[0]["airline"]

    async def becomes(self, airline: str) -> None:
        await until(lambda: self.airline() == airline)


def replace(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


async def test_a_changed_file_is_read_again_but_not_asked_for_more_than_once_a_second(airlines: Path) -> None:
    followed = Followed(airlines)
    assert followed.airline() == "United Air Lines Inc."
    replace(airlines, "carrier,name\nUA,United\n")
    await followed.clock.advance(0.9)
    assert followed.airline() == "United Air Lines Inc."
    await followed.clock.advance(0.1)
    await followed.becomes("United")
    airlines.write_text("carrier,name\nUA,Untied\n")  # in place, too
    await followed.clock.advance(1)
    await followed.becomes("Untied")


async def test_a_broken_new_file_leaves_the_old_table_and_is_reported_once(airlines: Path) -> None:
    followed = Followed(airlines)
    for text in ("carrier,name\nUA\n", "carrier,name\nUA,United\nUA,Untied\n"):
        with capture_logs() as logs:
            replace(airlines, text)
            for _ in range(3):
                await followed.clock.advance(1)
                await until(lambda: followed.airline() == "United Air Lines Inc." and bool(logs))
        assert [(log["event"], log["log_level"], log["code"]) for log in logs] == [
            ("lookup_reload_failed", "warning", "transform.lookup.invalid")
        ]
        assert str(airlines) in logs[0]["file"]
    replace(airlines, "carrier,name\nUA,United\n")
    await followed.clock.advance(1)
    await followed.becomes("United")


async def test_a_file_that_is_gone_leaves_the_old_table_until_it_is_back(airlines: Path) -> None:
    followed = Followed(airlines)
    with capture_logs() as logs:
        airlines.unlink()
        await followed.clock.advance(1)
        await until(lambda: followed.airline() == "United Air Lines Inc." and bool(logs))
    assert [log["code"] for log in logs] == ["transform.lookup.unreadable"]
    airlines.write_text("carrier,name\nUA,United\n")
    await followed.clock.advance(1)
    await followed.becomes("United")


async def test_following_a_file_never_blocks_the_event_loop(airlines: Path) -> None:
    followed = Followed(airlines)
    airlines.write_text("carrier,name\nUA,United\n")
    await followed.clock.advance(1)
    with blockbuster_ctx(scanned_modules=["wire"]):
        followed.airline()
    await followed.becomes("United")
