"""Card numbers and mail addresses that only the key leads back to."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from wire.pipelines.transforms.mask.pseudonyms import Pseudonyms, is_card, luhn

PSEUDONYMS = Pseudonyms(b"a key that is long enough")

digits = st.text(alphabet="0123456789", min_size=12, max_size=19)
separated = st.builds(
    lambda text, marks: "".join(a + b for a, b in itertools.zip_longest(text, marks[: len(text) - 1], fillvalue="")),
    digits,
    st.lists(st.sampled_from(["", "", "", " ", "-"]), min_size=18, max_size=18),
)


def form(text: str) -> str:
    return "".join("9" if char.isdigit() else char for char in text)


@given(separated)
def test_form_last_digits_luhn_and_leading_zero_are_kept(text: str) -> None:
    other = PSEUDONYMS.card(text)
    assert is_card(text)
    assert form(other) == form(text)
    plain, masked = ("".join(filter(str.isdigit, each)) for each in (text, other))
    assert masked[-4:] == plain[-4:]
    assert luhn(masked) == luhn(plain)
    assert (masked[0] == "0") == (plain[0] == "0")


@given(digits)
def test_the_same_card_gives_the_same_pseudonym_whatever_its_separators(text: str) -> None:
    assert PSEUDONYMS.card(f"{text[:4]} {text[4:]}").replace(" ", "") == PSEUDONYMS.card(text)


def test_different_cards_never_share_a_pseudonym() -> None:
    cards = [f"4{number:07d}1234" for number in range(20_000)]
    assert len({PSEUDONYMS.card(card) for card in cards}) == len(cards)


def test_luhn_agrees_with_published_examples() -> None:
    assert [luhn(number) for number in ("79927398713", "4111111111111111", "378282246310005")] == [0, 0, 0]
    assert [luhn(f"7992739871{digit}") == 0 for digit in range(10)].index(True) == 3


def test_only_digits_with_single_separators_are_cards() -> None:
    assert not [
        text for text in ("4111  1111 1111", "4111-", "-411111111111", "41111111111", "٤" * 12) if is_card(text)
    ]


@given(st.emails())
def test_mails_keep_their_domain(address: str) -> None:
    other = PSEUDONYMS.mail(address)
    if other is not None:
        assert other.partition("@")[2] == address.rpartition("@")[2]
        assert other != address
