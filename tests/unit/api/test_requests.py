from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.api.ports import Guard
from wire.api.requests import cursor_of, flag, guard, read_cursor, revisions
from wire.core.errors import ConfigError


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_leads_back_to_what_it_was_made_of(text: str) -> None:
    assert read_cursor(cursor_of(text)) == text


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        read_cursor(text)


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "expected"),
    [
        (None, None, Guard()),
        ("*", None, Guard(exists=True)),
        (None, "*", Guard(exists=False)),
        (None, " * ", Guard(exists=False)),
        ('"7"', None, Guard(revisions=frozenset([7]))),
        ('"7", "8"', None, Guard(revisions=frozenset([7, 8]))),
        ('W/"7"', None, Guard(revisions=frozenset())),
        ('"of another server"', None, Guard(revisions=frozenset())),
        ('"' + "9" * 30 + '"', None, Guard(revisions=frozenset())),
    ],
)
def test_headers_become_guards(if_match: str | None, if_none_match: str | None, expected: Guard) -> None:
    assert guard(if_match, if_none_match) == expected


@pytest.mark.parametrize(
    ("if_match", "if_none_match"), [("7", None), ('"7', None), ("", None), (None, '"7"'), (None, ""), ("*", "*")]
)
def test_headers_that_guard_nothing_are_refused(if_match: str | None, if_none_match: str | None) -> None:
    with pytest.raises(ConfigError):
        guard(if_match, if_none_match)


@given(st.text())
def test_any_text_is_a_list_of_etags_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        revisions(text, "header.If-Match")


def test_flags_may_stand_alone() -> None:
    read = {value: flag(value, "sync") for value in (None, "", "true", "TRUE", "1", "false", "0")}
    assert read == {None: False, "": True, "true": True, "TRUE": True, "1": True, "false": False, "0": False}
    with pytest.raises(ConfigError, match="expected true or false"):
        flag("perhaps", "sync")
