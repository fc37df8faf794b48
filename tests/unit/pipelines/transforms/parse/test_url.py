from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import codes, run, stage, transformed

NAMES = ["scheme", "user", "host", "port", "path", "query", "params", "fragment"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "https://u%40x:secret@Example.com:8080/a/b%20c?x=1&y=&x=%C3%BC+2#top",
            ["https", "u@x", "example.com", 8080, "/a/b%20c", "x=1&y=&x=%C3%BC+2", {"x": "ü 2", "y": ""}, "top"],
        ),
        ("http://[2001:db8::1]/", ["http", None, "2001:db8::1", None, "/", None, {}, None]),
        ("/search?q=wire&debug", [None, None, None, None, "/search", "q=wire&debug", {"q": "wire", "debug": ""}, None]),
        ("//cdn.example.com/x", [None, None, "cdn.example.com", None, "/x", None, {}, None]),
        ("mailto:a@b.c", ["mailto", None, None, None, "a@b.c", None, {}, None]),
        ("", [None, None, None, None, "", None, {}, None]),
    ],
)
def test_a_url_has_parts(text: str, found: list[Any]) -> None:
    (row,) = transformed([{"parse": {"expr": "m", "as": "url"}}, {"drop": ["m"]}], {"m": text})
    assert list(row.items()) == list(zip(NAMES, found, strict=True))
    (row,) = transformed([{"parse": {"expr": "m", "as": "url", "into": "m"}}], {"m": text})
    assert row["m"] == dict(zip(NAMES, found, strict=True))


def test_a_password_goes_nowhere() -> None:
    (row,) = transformed([{"parse": {"expr": "m", "as": "url", "into": "m"}}], {"m": "http://u:secret@x/"})
    assert "secret" not in str(row)


@pytest.mark.parametrize("text", ["http://x:99999/", "http://x:y/", "http://[::1/", "http://[x]/", "http://a\u2100b/"])
def test_what_is_no_url_fails_its_record(text: str) -> None:
    assert codes(run(stage({"parse": {"expr": "m", "as": "url"}}), {"m": text}, {"m": "/"})) == [
        (0, "transform.parse.invalid")
    ]
