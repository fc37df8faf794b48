"""What may be shown of records: nothing that is called like a secret, whatever it is in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.worker.masking import MASK, MAX_READ_BYTES, MAX_SHOWN_BYTES, Shown, masked, shown

SECRETS = ("password", "Passwd", "PASSPHRASE", "user_pass", "pwd", "secret", "client_secret", "token", "accessToken",
           "api_key", "apiKey", "x-api-key", "authorization", "Authorization", "auth", "credentials", "private_key",
           "cookie", "set-cookie", "session_id", "signature")  # fmt: skip
OTHERS = ("author", "passenger", "compass", "id", "key", "name", "monkey", "")


@pytest.mark.parametrize("name", SECRETS)
def test_a_name_that_sounds_like_a_secret_hides_what_is_there(name: str) -> None:
    assert masked({name: "hush"}) == {name: MASK}
    assert masked({"a": [{"b": {name: {"c": ["hush"]}}}]}) == {"a": [{"b": {name: MASK}}]}


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_hide_nothing(name: str) -> None:
    assert masked({name: "seen"}) == {name: "seen"}


TREES = st.recursive(
    st.sampled_from(["hush", 1, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SECRETS + OTHERS), inner, max_size=3),
)


@given(TREES)
def test_nothing_below_such_a_name_is_shown(tree: Any) -> None:
    def secrets(tree: Any, below: bool) -> int:
        if isinstance(tree, dict):
            return sum(secrets(item, below or name in SECRETS) for name, item in tree.items())
        if isinstance(tree, list):
            return sum(secrets(item, below) for item in tree)
        return not below and tree == "hush"

    found = shown(json.dumps(tree).encode())
    assert found is not None
    assert found.data.count(b"hush") == secrets(tree, below=False)


def test_a_name_that_is_given_twice_hides_nothing_behind_the_other() -> None:
    assert shown(b'{"a":{"password":"hush"},"a":1}') == Shown("json", b'{"a":1}')


@pytest.mark.parametrize(
    "data", [b"user=a;password=hush", b'{"token": "hush"', b"Authorization: Bearer hush", b"{pwd:x}"]
)
def test_what_can_not_be_read_and_may_hold_secrets_is_left_out(data: bytes) -> None:
    assert shown(data) == Shown("hidden")


def test_other_bytes_are_shown_as_they_are() -> None:
    assert shown(b"\x00\xff") == Shown("bytes", b"\x00\xff")
    assert shown(b"1,2,token") == Shown("bytes", b"1,2,token")
    assert shown(None) is None


def test_what_is_long_is_cut_off_and_what_is_very_long_left_out() -> None:
    text = json.dumps({"password": "hush", "text": "é" * MAX_SHOWN_BYTES}, ensure_ascii=False).encode()
    found = shown(text)
    assert found is not None
    assert (found.form, found.truncated) == ("cut", True)
    assert len(found.data) <= MAX_SHOWN_BYTES
    assert found.data.decode().startswith('{"password":"***"')
    assert shown(b"\xff" * (MAX_SHOWN_BYTES + 1)) == Shown("bytes", b"\xff" * MAX_SHOWN_BYTES, truncated=True)
    assert shown(b"1" * (MAX_READ_BYTES + 1)) == Shown("hidden", truncated=True)


def test_json_that_nests_too_deeply_is_no_way_around() -> None:
    deep = b'{"a":' * 5000 + b'{"password":"hush"}' + b"}" * 5000
    found = shown(deep)
    assert found is not None
    assert b"hush" not in found.data
