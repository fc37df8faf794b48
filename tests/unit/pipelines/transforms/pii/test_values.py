"""What is found in a text, and above all what is not."""

from __future__ import annotations

import time
from typing import get_args

import pytest

from wire.pipelines.transforms.pii.values import Kind, find

ALL: frozenset[Kind] = frozenset(get_args(Kind))


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.stop]) for span in find(text, ALL)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bob@example.com", [("mail", "bob@example.com")]),
        ("Mail Bob <bob.o'neil+x@mail.example.co.uk>, please.", [("mail", "neil+x@mail.example.co.uk")]),
        ("paid with 4111 1111 1111 1111.", [("card", "4111 1111 1111 1111")]),
        ("378282246310005", [("card", "378282246310005")]),
        ("5555-5555-5555-4444", [("card", "5555-5555-5555-4444")]),
        ("to DE89 3704 0044 0532 0130 00 by Monday", [("iban", "DE89 3704 0044 0532 0130 00")]),
        ("GB82WEST12345698765432", [("iban", "GB82WEST12345698765432")]),
        ("SSN 078-05-1120", [("ssn", "078-05-1120")]),
        ("from 203.0.113.7:443", [("ip", "203.0.113.7")]),
        ("http://203.0.113.7/", [("ip", "203.0.113.7")]),
        ("2001:db8::ff00:42:8329", [("ip", "2001:db8::ff00:42:8329")]),
        ("call +49 (30) 1234-5678!", [("phone", "+49 (30) 1234-5678")]),
        ("(212) 555-0123", [("phone", "(212) 555-0123")]),
        ("212-555-0123, a@b.de", [("phone", "212-555-0123"), ("mail", "a@b.de")]),
    ],
)
def test_personal_values_are_found_anywhere_in_a_text(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png", "user@localhost", "@mention", "left-pad@1.3.0",
        "4111111111111112", "1234567812345670", "0000000000000000", "order 41111111111111110000",
        "0.4111111111111111", "a4111111111111111", "1700000000000", "1700000000000000",
        "9c4111111111111111", "4111-1111-1111-1111-1111",
        "DE89370400440532013001", "XX89370400440532013000", "DE89 3704",
        "000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "1123-45-6789", "2024-05-01",
        "v1.2.3.4", "1.2.3.4.5", "256.1.1.1", "127.0.0.1", "0.0.0.0", "Chrome/120.0.0.0 Safari/537.36",  # noqa: S104 (text)
        "::1", "a::b", "std::vector", "12:34:56", "00:1A:2B:3C:4D:5E",
        "2024-05-01T10:00:00+02:00", "+5", "123456789", "5550123", "550e8400-e29b-41d4-a716-446655440000",
        "3.14159265358979", "-73.9857, 40.7484", "1,234,567,890.12", "", "the quick brown fox",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_kinds_that_are_not_asked_for_are_not_found() -> None:
    assert [span.kind for span in find("a@b.de 203.0.113.7", frozenset({"ip"}))] == ["ip"]


@pytest.mark.parametrize("piece", ["a", "1", "a@", "1.", "1 ", "+1", ":a", "DE89 ", "a.b@c.", "4111-", "(2"])
def test_time_is_linear_in_the_text(piece: str) -> None:
    started = time.perf_counter()
    find(piece * (200_000 // len(piece)), ALL)
    assert time.perf_counter() - started < 3
