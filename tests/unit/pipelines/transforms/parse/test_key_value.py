from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import codes, run, stage, transformed


def pairs(text: str, **config: str) -> Any:
    step = {"parse": {"expr": "m", "as": {"type": "key_value", **config}, "into": "y"}}
    (row,) = transformed([step], {"m": text})
    return row["y"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ("a=1  b=2 ", {"a": "1", "b": "2"}),
        ("a=1 a=2", {"a": "2"}),
        ("a= b=2", {"a": "", "b": "2"}),
        ("a=1=2", {"a": "1=2"}),
        ("word a=1 more words b=2 end", {"a": "1", "b": "2"}),
        ("=1 a=2", {"a": "2"}),
        ('a="x y" b=2', {"a": "x y", "b": "2"}),
        ('a="x=1 y=2"', {"a": "x=1 y=2"}),
        (r'a="say \"hi\" \\ \n" b=1', {"a": 'say "hi" \\ \n', "b": "1"}),
        ('a="" b=1', {"a": "", "b": "1"}),
        ('a="open b=1', {"a": '"open', "b": "1"}),
        ('a="x"y b=1', {"a": '"x"y', "b": "1"}),
        ('a=x"y" b=1', {"a": 'x"y"', "b": "1"}),
        ("", {}),
        ("  ", {}),
        ("é=ü", {"é": "ü"}),
    ],
)
def test_pairs_are_found(text: str, found: dict[str, str]) -> None:
    assert pairs(text) == found


@pytest.mark.parametrize(
    ("config", "text", "found"),
    [
        ({"separator": ":", "between": ","}, "a:1, b: 2 ,c:x y", {"a": "1", "b": "2", "c": "x y"}),
        ({"separator": ": ", "between": "; "}, "a: 1; b: 2;c: 3", {"a": "1", "b": "2;c: 3"}),
        ({"between": "&"}, "a=1&b=&c", {"a": "1", "b": ""}),
        ({"between": "&"}, 'a="1&2"&b=3', {"a": "1&2", "b": "3"}),
        ({"between": "\n"}, "a=1\r\nb=2\r\n", {"a": "1", "b": "2"}),
        ({"separator": "=>"}, "a=>1 b=2", {"a": "1"}),
    ],
)
def test_what_separates_may_be_chosen(config: dict[str, str], text: str, found: dict[str, str]) -> None:
    assert pairs(text, **config) == found


@pytest.mark.parametrize("text", ["word", "a b c", "=1", "= =", ":"])
def test_text_without_any_pair_fails_its_record(text: str) -> None:
    step = {"parse": {"expr": "m", "as": "key_value"}}
    assert codes(run(stage(step), {"m": text}, {"m": "a=1"})) == [(0, "transform.parse.invalid")]


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.dictionaries(st.text("abc", min_size=1), st.text('ab=" \\&\n')))
def test_what_was_written_as_pairs_is_read_as_it_was(given_pairs: dict[str, str]) -> None:
    assert pairs(" ".join(f"{name}={quoted(value)}" for name, value in given_pairs.items())) == given_pairs


@given(st.text("ab= ", max_size=20))
def test_without_quotes_it_is_a_matter_of_splitting(text: str) -> None:
    words = [word.partition("=") for word in text.split(" ")]
    found = {name: value for name, separator, value in words if name and separator}
    if found or not text.strip():
        assert pairs(text) == found


@pytest.mark.parametrize("piece", ["a ", '"', 'a="', '\\"', "=", 'a="\\', 'a="x"b '])
def test_the_time_it_takes_is_linear_in_the_text(piece: str) -> None:
    step = stage({"parse": {"expr": "m", "as": "key_value", "into": "y", "on_error": None}})
    start = time.perf_counter()
    run(step, {"m": piece * 200_000})
    assert time.perf_counter() - start < 5  # a fraction of a second; the square of it would be hours
