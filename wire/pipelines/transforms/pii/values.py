"""What a text itself says: the personal values in it, by patterns whose candidates are checked.

Every pattern begins where a run of its characters begins and has bounded repetitions: time is linear in the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from wire.pipelines.transforms.mask.pseudonyms import luhn

Kind = Literal["mail", "iban", "card", "ssn", "ip", "phone", "name", "birth_date", "address"]


class Span(NamedTuple):
    """A personal value at `text[start:stop]`."""

    start: int
    stop: int
    kind: Kind


_IMAGES: Final = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp"})  # logo@2x.png
_MAIL: Final = re.compile(r"(?<![\w.%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}([A-Za-z]{2,24})(?![\w-])")
_CARD: Final = re.compile(r"(?<![\w.+-])[2-6][0-9]{3}(?:[ -]?[0-9]){8,15}(?![\w-]|\.[0-9])")
_BRANDS: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_IBAN: Final = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}")
_IBAN_LENGTHS: Final = dict(
    re.findall(
        r"([A-Z]{2})([0-9]{2})",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 "
        "SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20",
    )
)
_SSN: Final = re.compile(r"(?<![\w.+-])([0-9]{3})-([0-9]{2})-([0-9]{4})(?![\w-])")
_IPV4: Final = re.compile(r"(?<![\w.+-])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w-]|\.[0-9])")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?![\w:])")
_PHONE: Final = re.compile(
    r"(?<![\w+.])(?:\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}|\(?[2-9][0-9]{2}\)?[ .-][2-9][0-9]{2}[.-][0-9]{4})"
    r"(?![\w-]|\.[0-9])"
)


def _mails(text: str) -> Iterator[Span]:
    if "@" in text:
        for match in _MAIL.finditer(text):
            if match[1].lower() not in _IMAGES:
                yield Span(*match.span(), "mail")


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = match[0].replace(" ", "").replace("-", "")
        if _BRANDS.fullmatch(digits) and luhn(digits) == 0 and len(set(digits)) > 1:
            yield Span(*match.span(), "card")


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = int(_IBAN_LENGTHS.get(match[0][:2], 0))
        places = [place for place, char in enumerate(match[0]) if char != " "][:length]
        if not length or len(places) < length:
            continue
        stop = match.start() + places[-1] + 1
        if not text[stop : stop + 1].isalnum() and is_iban(text[match.start() : stop]):
            yield Span(match.start(), stop, "iban")


def is_iban(text: str) -> bool:
    """Say whether the check digits are right (ISO 13616: the number, rearranged, is 1 modulo 97)."""
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _ssns(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        area, group, serial = match.groups()
        if area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000":
            yield Span(*match.span(), "ssn")


def _ips(text: str) -> Iterator[Span]:
    if text.count(".") >= 3:
        for match in _IPV4.finditer(text):
            before = text[max(0, match.start() - 2) : match.start()]
            versioned = before.endswith("/") and before != "//"  # as in Chrome/120.0.0.0
            if not versioned and is_personal_ip(match[0]):
                yield Span(*match.span(), "ip")
    if text.count(":") > 1:
        for match in _IPV6.finditer(text):
            groups = len([group for group in match[0].split(":") if group])
            if groups > 2 and is_personal_ip(match[0]):  # a::b is more likely a name in a program
                yield Span(*match.span(), "ip")


def is_personal_ip(text: str) -> bool:
    """Say whether this is an address that someone may have."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or text == "255.255.255.255")


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        yield Span(*match.span(), "phone")


_FINDERS: Final[tuple[tuple[Kind, Callable[[str], Iterator[Span]]], ...]] = (
    ("mail", _mails),
    ("iban", _ibans),
    ("card", _cards),
    ("ssn", _ssns),
    ("ip", _ips),
    ("phone", _phones),
)
_SHORTEST: Final = 6
_SOMETHING: Final = re.compile(r"[0-9@]|::")


def find(text: str, kinds: frozenset[Kind]) -> list[Span]:
    """Return the personal values in a text, in order; where two overlap, the kind that is checked best counts."""
    if len(text) < _SHORTEST or not _SOMETHING.search(text):
        return []
    found: list[Span] = []
    for kind, finder in _FINDERS:
        if kind in kinds:
            found += [span for span in finder(text) if all(span.stop <= o.start or o.stop <= span.start for o in found)]
    return sorted(found)
