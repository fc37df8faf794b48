from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from tests.unit.pipelines.transforms.kit import finding, node, transformed
from wire.core.errors import ConfigError

KEY = "a key that is long enough"


def masked(fields: dict[str, Any], *rows: Any, key: str | None = KEY) -> list[Any]:
    return transformed([{"mask": {"fields": fields, **({"key": key} if key else {})}}], *rows)


def test_redacting_puts_a_text_in_place_of_anything() -> None:
    rows = [{"a": "x", "b": 1}, {"a": {"c": [1]}, "b": 1}, {"a": ["x"]}, {"a": None, "b": 1}, {"b": 1}]
    assert masked({"a": "redact"}, *rows, key=None) == [
        {"a": "***", "b": 1}, {"a": "***", "b": 1}, {"a": "***"}, {"a": None, "b": 1}, {"b": 1}
    ]  # fmt: skip
    assert masked({"a": {"type": "redact", "text": "-"}}, {"a": 1}, key=None) == [{"a": "-"}]


def test_a_hash_is_what_any_other_tool_computes_under_the_key() -> None:
    expected = hmac.new(KEY.encode(), "Zoë".encode(), hashlib.sha256).hexdigest()
    assert masked({"a": "hash"}, {"a": "Zoë"}) == [{"a": expected}]


def test_hashes_of_the_same_value_are_the_same_whatever_the_order_of_its_fields() -> None:
    rows = [{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, {"a": {"x": 1, "y": 3}}]
    first, second, third = (row["a"] for row in masked({"a": "hash"}, *rows))
    assert first == second != third


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("DE89370400440532013000", "*" * 18 + "3000"),
        ("abcd", "****"),
        ("", ""),
        (1234567, "***4567"),
        (True, "***"),
        ({"a": 1}, "***"),
        (10**100, "***"),
        (["abcdef", None], ["**cdef", None]),
    ],
)
def test_the_last_characters_may_be_kept_but_never_all(value: Any, expected: Any) -> None:
    assert masked({"a": "keep_last"}, {"a": value}, key=None) == [{"a": expected}]


def test_nothing_need_be_kept() -> None:
    assert masked({"a": {"type": "keep_last", "count": 0}}, {"a": "abc"}, key=None) == [{"a": "***"}]


def test_cards_keep_their_form_and_what_is_no_card_is_not_passed_on() -> None:
    rows = [{"a": "4111 1111 1111 1111"}, {"a": 4111111111111111}, {"a": "not a card"}, {"a": "41111"}, {"a": {}}]
    text, number, *rest = (row["a"] for row in masked({"a": "card"}, *rows))
    assert text[-5:] == " 1111"
    assert [i for i, char in enumerate(text) if char == " "] == [4, 9, 14]
    assert text != "4111 1111 1111 1111"
    assert number == int(text.replace(" ", ""))
    assert rest == ["***"] * 3


def test_mails_keep_their_domain_and_what_is_no_mail_is_not_passed_on() -> None:
    rows = [
        {"a": "Bob@Example.com"},
        {"a": "bob@example.com"},
        {"a": "al@example.com"},
        {"a": "Bob <b@c.de>"},
        {"a": 1},
    ]
    first, second, third, *rest = (row["a"] for row in masked({"a": "mail"}, *rows))
    assert first == second.replace("example", "Example")
    assert second != third
    assert second.endswith("@example.com")
    assert rest == ["***", "***"]


def test_another_key_gives_other_pseudonyms() -> None:
    row = {"card": "4111111111111111", "mail": "bob@example.com", "id": 7}
    fields = {"card": "card", "mail": "mail", "id": "hash"}
    (one,), (other,) = masked(fields, row), masked(fields, row, key="another key, as long")
    assert not [name for name in fields if one[name] == other[name] or one[name] == row[name]]


def test_nested_fields_are_masked_in_every_item_of_lists_and_others_stay() -> None:
    row = {"user": {"phones": [{"n": "12345", "t": "a"}, {"t": "b"}, None, 7], "age": 3}, "n": "12345"}
    assert masked({"user.phones.n": "keep_last"}, row, key=None) == [
        {"user": {"phones": [{"n": "*2345", "t": "a"}, {"t": "b"}, None, 7], "age": 3}, "n": "12345"}
    ]


def test_a_field_made_of_the_same_value_keeps_it() -> None:
    steps = [{"select": "*, user AS copy"}, {"mask": {"fields": {"user.name": "redact"}}}]
    assert transformed(steps, {"user": {"name": "x"}}) == [{"user": {"name": "***"}, "copy": {"name": "x"}}]


def test_computed_values_of_types_json_lacks_are_masked_too() -> None:
    steps = [{"select": "CAST(d AS DATE) AS d, CAST(d AS DATE) AS e"}, {"mask": {"fields": {"d": "hash"}, "key": KEY}}]
    expected = hmac.new(KEY.encode(), b'"2024-05-01"', hashlib.sha256).hexdigest()
    assert transformed(steps, {"d": "2024-05-01"}) == [{"d": expected, "e": "2024-05-01"}]


def test_tombstones_pass() -> None:
    assert masked({"a": "redact"}, None, key=None) == [None]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"fields": {}}, ".fields"),
        ({"fields": {"a": "hash"}}, ".key"),
        ({"fields": {"a": "card"}}, ".key"),
        ({"fields": {"a": "mail"}, "key": "short"}, ".key"),
        ({"fields": {"a": "remove"}}, ".fields.a"),
        ({"fields": {"a": {"type": "keep_last", "count": -1}}}, ".fields.a.count"),
        ({"fields": {"a..b": "redact"}}, '.fields["a..b"]'),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        node({"mask": config})
    assert finding(caught.value)[1] == f"$.transforms[0].mask{path}"
    assert "short" not in caught.value.message
