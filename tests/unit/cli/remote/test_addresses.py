"""Addresses of nodes as users write them."""

from __future__ import annotations

import pytest

from wire.cli.remote.addresses import parse_addresses
from wire.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "secure", "whole"),
    [
        ("http://127.0.0.1:4001", True, "http://127.0.0.1:4001"),
        ("https://n1.example.org", False, "https://n1.example.org:4001"),
        ("n1:5001", False, "http://n1:5001"),
        ("n1", True, "https://n1:4001"),
        ("[::1]:4001", False, "http://[::1]:4001"),
        ("https://gate/wire/", False, "https://gate:4001/wire"),
    ],
)
def test_an_address(text: str, secure: bool, whole: str) -> None:
    assert [str(each) for each in parse_addresses([text], secure=secure)] == [whole]


def test_several_with_commas_between() -> None:
    assert [each.host for each in parse_addresses(["a:1, b:2", "c:3"], secure=False)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text", ["", "ftp://n1:1", "http://", "n1:port", "n1:0", "n1:70000", "http://a@n1", "http://n1/?x", "n 1", "ü:1"]
)
def test_what_is_none_is_said(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_addresses(["fine:1", text], secure=False)
    (finding,) = caught.value.findings
    assert finding.path == "--server"
    assert f"`{text}`" in finding.message


def test_at_least_one_is_needed() -> None:
    with pytest.raises(ConfigError):
        parse_addresses([], secure=False)
