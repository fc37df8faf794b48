"""What the name of a column says, and what a value must look like to bear it out.

A name lowers what a value has to show: a text of ten digits is a telephone number in `phone`, and nothing elsewhere.
But it does not decide alone: `email_sent: true` and `phone: "n/a"` hold nothing personal.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import Any, Final

from wire.pipelines.transforms.mask.pseudonyms import is_card
from wire.pipelines.transforms.pii.values import Kind, is_personal_ip

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NAMES: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(rf"\b(?:{pattern})\b"))  # type: ignore[misc]
    for kind, pattern in (
        ("mail", r"e ?mails?|mails?"),
        ("iban", r"ibans?"),
        ("card", r"(?:credit ?|debit ?|payment ?)?card(?: ?(?:no|nr|num|number))?|creditcard|cardnumber|ccn?|pan"),
        ("ssn", r"ssn|social security|tax ?id|national id|nin|passport"),
        ("ip", r"ip(?: ?addr(?:ess)?)?|ipaddress|remote addr"),
        ("phone", r"(?:tele)?phones?|phonenumber|tel|mobile|cell|cellphone|fax|msisdn"),
        ("birth_date", r"birth ?date|birthday|date of birth|dob|geburtsdatum"),
        ("name", r"(?:first|last|full|given|family|middle|maiden|sur|fore) ?name|vorname|nachname"),
        ("address", r"street(?: ?address)?|(?:home|postal|mailing|delivery|shipping|billing) ?address|address ?line"),
    )
)
_PHONE: Final = re.compile(r"\+?[0-9 ()./-]{7,24}(?:(?:x|ext\.?) ?[0-9]{1,6})?")
_IDENTITY: Final = re.compile(r"(?=.*[0-9].*[0-9].*[0-9].*[0-9])[A-Za-z0-9 ./-]{6,20}")
_IBAN: Final = re.compile(r"[A-Za-z]{2}[0-9]{2}[A-Za-z0-9 ]{11,40}")


@functools.lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind | None:
    """Return what a column of this name holds, None if it does not say. `homePhone` and `home_phone` are the same."""
    words = " ".join(_WORDS.findall(name[:200])).lower()
    return next((kind for kind, pattern in _NAMES if pattern.search(words)), None)


def bears_out(kind: Kind, value: Any) -> bool:
    """Say whether a value can be what the name of its column says."""
    if value.__class__ is str:
        return len(value) <= 1000 and _TEXTS[kind](value.strip())
    if value.__class__ is int and value.bit_length() <= 64:
        return kind in ("card", "phone", "ssn") and _TEXTS[kind](str(value))
    return kind == "birth_date" and isinstance(value, dt.date)


def _is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text) is not None and 7 <= sum(map(str.isdigit, text)) <= 15


_TEXTS: Final[dict[Kind, Callable[[str], bool]]] = {
    "mail": lambda text: "@" in text[1:-1],
    "iban": lambda text: _IBAN.fullmatch(text) is not None,
    "card": is_card,
    "ssn": lambda text: _IDENTITY.fullmatch(text) is not None,
    "ip": is_personal_ip,
    "phone": _is_phone,
    "birth_date": lambda text: any(map(str.isdigit, text)),
    "name": lambda text: any(map(str.isalpha, text)),
    "address": lambda text: any(map(str.isalpha, text)),
}
