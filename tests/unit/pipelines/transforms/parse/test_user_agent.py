from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import codes, run, stage, transformed

NAMES = ["browser", "browser_version", "os", "os_version", "device", "device_brand", "device_model"]
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) {WEBKIT} Version/17.1 Mobile/15E148 Safari/604.1",
            ["Mobile Safari", "17.1", "iOS", "17.1", "iPhone", "Apple", "iPhone"],
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
            ["Firefox", "115.0", "Linux", None, None, None, None],
        ),
        ("curl/8.5.0", ["curl", "8.5.0", None, None, None, None, None]),
        ("nobody knows this one", [None] * 7),
        ("", [None] * 7),
        ("x" * 1_000_000, [None] * 7),
    ],
)
def test_browsers_and_programs_are_known(text: str, found: list[Any]) -> None:
    (row,) = transformed([{"parse": {"expr": "m", "as": "user_agent", "into": "m"}}], {"m": text})
    assert row["m"] == dict(zip(NAMES, found, strict=True))


def test_what_is_found_may_become_fields_of_the_record() -> None:
    steps = [{"parse": {"expr": "m", "as": "user_agent"}}, {"select": "browser, browser_version"}]
    assert transformed(steps, {"m": "curl/8.5.0"}, {"m": None}) == [
        {"browser": "curl", "browser_version": "8.5.0"},
        {"browser": None, "browser_version": None},
    ]
    assert codes(run(stage(*steps), {"m": 5})) == [(0, "transform.parse.not_text")]
