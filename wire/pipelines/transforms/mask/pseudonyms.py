"""Pseudonyms: values of the same form, the same for the same value under the same key, that only the key leads back to.

A card number becomes another one by a permutation, so that different cards stay different: a Feistel network over
decimal digits with HMAC-SHA256 as its round function, in the manner of FF1 (NIST SP 800-38G). What must stay (the last
four digits, what the Luhn check gives) is its tweak.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

_ROUNDS: Final = 10  # as in FF1
_KEPT: Final = 4
_SHORTEST: Final = 12
_LONGEST: Final = 19
_CARD: Final = re.compile(r"[0-9](?:[ -]?[0-9])*")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_MAIL: Final = re.compile(r"([^@\s<>\"(),;:]+)@([^@\s<>\"(),;:]+)")
_MAIL_BYTES: Final = 10


def luhn(digits: str) -> int:
    """Return the remainder of the Luhn check (ISO/IEC 7812-1, annex B): 0 for a valid card number."""
    plain, doubled = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, plain)) + sum(_DOUBLED[int(digit)] for digit in doubled)) % 10


def is_card(text: str) -> bool:
    """Say whether text has the form of a card number: 12 to 19 digits, with single spaces or hyphens among them."""
    return _CARD.fullmatch(text) is not None and _SHORTEST <= sum(map(str.isdigit, text)) <= _LONGEST


class Pseudonyms:
    """Makes pseudonyms under one key. Each kind has a key of its own, derived from that one."""

    def __init__(self, key: bytes) -> None:
        """Use `key`, of which everything depends: who has it can try out values."""
        self._hash_key = key
        self._card_key = hmac.digest(key, b"wire mask card", "sha256")
        self._mail_key = hmac.digest(key, b"wire mask mail", "sha256")

    def hash(self, data: bytes) -> str:
        """Return HMAC-SHA256 of `data` under the key itself, in hexadecimal, as any other tool would compute it."""
        return hmac.digest(self._hash_key, data, "sha256").hex()

    def card(self, text: str) -> str:
        """Return another card number: the separators stay where they are, and so do the last four digits.

        What passes the Luhn check passes it afterwards, and what fails it fails it. A number that does not begin with
        0 does not become one that does. `text` must have the form of a card number.
        """
        digits = "".join(filter(str.isdigit, text))
        other = iter(self._card_digits(digits))
        return "".join(next(other) if char.isdigit() else char for char in text)

    def mail(self, text: str) -> str | None:
        """Return the address with another local part, None where `text` is no address.

        Upper and lower case make no difference to it; the domain stays as it is written.
        """
        match = _MAIL.fullmatch(text)
        if match is None:
            return None
        token = hmac.digest(self._mail_key, text.lower().encode(errors="surrogatepass"), "sha256")[:_MAIL_BYTES]
        return f"{base64.b32encode(token).decode().lower()}@{match[2]}"

    def _card_digits(self, digits: str) -> str:
        kept, free = digits[-_KEPT:], digits[: -_KEPT - 1]
        remainder = luhn(digits)
        tweak = f"{kept}{remainder}".encode()
        other = self._permuted(free, tweak)
        while (other[0] == "0") != (free[0] == "0"):  # walk on along the permutation's cycle: it stays one
            other = self._permuted(other, tweak)
        return f"{other}{(remainder - luhn(f'{other}0{kept}')) % 10}{kept}"  # that digit counts once

    def _permuted(self, digits: str, tweak: bytes) -> str:
        size = len(digits)
        widths = (size // 2, size - size // 2)
        left, right = digits[: widths[0]], digits[widths[0] :]
        for number in range(_ROUNDS):
            width = widths[number % 2]
            message = b"%b/%d/%d/%b" % (tweak, size, number, right.encode())
            mixed = (int(left) + int.from_bytes(hmac.digest(self._card_key, message, "sha256"))) % 10**width
            left, right = right, f"{mixed:0{width}d}"
        return left + right
