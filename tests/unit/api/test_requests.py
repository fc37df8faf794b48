from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from wire.api import requests
from wire.api.ports import Guard
from wire.api.requests import cursor_of, flag, guard, read_cursor, revisions, text
from wire.core.errors import ConfigError, RefusedError


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_leads_back_to_what_it_was_made_of(item: str) -> None:
    assert read_cursor(cursor_of(item)) == item


@given(st.text())
def test_any_text_is_a_cursor_or_refused(cursor: str) -> None:
    with contextlib.suppress(ConfigError):
        read_cursor(cursor)


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
async def test_headers_become_guards(if_match: str | None, if_none_match: str | None, expected: Guard) -> None:
    assert await guard(if_match, if_none_match) == expected


@pytest.mark.parametrize(
    ("if_match", "if_none_match"), [("7", None), ('"7', None), ("", None), (None, '"7"'), (None, ""), ("*", "*")]
)
async def test_headers_that_guard_nothing_are_refused(if_match: str | None, if_none_match: str | None) -> None:
    with pytest.raises(ConfigError):
        await guard(if_match, if_none_match)


@given(st.text())
def test_any_text_is_a_list_of_etags_or_refused(etags: str) -> None:
    with contextlib.suppress(ConfigError):
        revisions(etags, "header.If-Match")


def test_flags_may_stand_alone() -> None:
    read = {value: flag(value, "sync") for value in (None, "", "true", "TRUE", "1", "false", "0")}
    assert read == {None: False, "": True, "true": True, "TRUE": True, "1": True, "false": False, "0": False}
    with pytest.raises(ConfigError, match="expected true or false"):
        flag("perhaps", "sync")


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_BODY_TIMEOUT_S", 0.01)
    app = SimpleNamespace(state=SimpleNamespace(max_body_bytes=1000))
    headers = [(b"content-type", b"application/yaml")]
    arrived = iter([{"type": "http.request", "body": b"name: ", "more_body": True}])

    async def receive() -> dict[str, object]:
        for message in arrived:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": headers, "app": app}, receive)
    with pytest.raises(RefusedError, match=r"api\.body_too_slow"):
        await text(request)
