"""From a way to mask to a function over values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, assert_never

import msgspec

from wire.pipelines.codecs.json import to_json
from wire.pipelines.transforms.mask.config import Card, Hash, KeepLast, Mail, Method, Redact
from wire.pipelines.transforms.mask.pseudonyms import Pseudonyms, is_card

REDACTED: Final = "***"
_MOST_BITS: Final = 256  # Python refuses to write out numbers that are far longer
_canonical: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode

Masking = Callable[[Any], Any]


def masking(method: Method, pseudonyms: Pseudonyms) -> Masking:
    """Return a function that masks one value, never NULL. It never raises, nor returns what it can't mask."""
    match method:
        case Redact():
            return lambda _: method.text
        case Hash():
            return lambda value: pseudonyms.hash(_bytes(value))
        case KeepLast():
            return lambda value: _keep_last(value, method.count)
        case Card():
            return lambda value: _card(value, pseudonyms)
        case Mail():
            return lambda value: _mail(value, pseudonyms)
    assert_never(method)


def at_path(mask: Masking, path: Sequence[str], *, into_lists: bool) -> Masking:
    """Return a function that masks what is at `path` in a value, in every item of the lists on the way there.

    A list that is found there is masked item by item, `into_lists`, or as a whole. NULL and what is not there stay.
    """

    def masked(value: Any, depth: int) -> Any:
        if value is None:
            return None
        if value.__class__ is list and (into_lists or depth < len(path)):
            return [masked(item, depth) for item in value]
        if depth == len(path):
            return mask(value)
        name = path[depth]
        if value.__class__ is dict and name in value:
            return {**value, name: masked(value[name], depth + 1)}  # a copy: other fields may be made of it
        return value

    return lambda value: masked(value, 0)


def _bytes(value: Any) -> bytes:
    """Text as UTF-8, anything else as JSON writes it, with fields in order."""
    if value.__class__ is str:
        return bytes(value.encode(errors="surrogatepass"))
    return _canonical(to_json(value))


def _text(value: Any) -> str | None:
    if value.__class__ is str:
        return str(value)
    return str(value) if value.__class__ is int and value.bit_length() <= _MOST_BITS else None


def _keep_last(value: Any, count: int) -> str:
    text = _text(value)
    if text is None:
        return REDACTED
    kept = text[len(text) - count :] if len(text) > count else ""
    return "*" * (len(text) - len(kept)) + kept


def _card(value: Any, pseudonyms: Pseudonyms) -> Any:
    text = _text(value)
    if text is None or not is_card(text):
        return REDACTED
    other = pseudonyms.card(text)
    return int(other) if value.__class__ is int else other


def _mail(value: Any, pseudonyms: Pseudonyms) -> str:
    text = _text(value)
    return (pseudonyms.mail(text) if text is not None else None) or REDACTED
