"""URLs with expressions in them: `https://example.com/customers/{customer_id}?in={lower(country)}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote

from wire.core.errors import RecordError
from wire.pipelines.transforms.enrich.service import json_of

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def split(template: str) -> tuple[list[str], list[str]]:
    """Return the texts around the placeholders, one more than there are, and the expressions in them.

    Raises ValueError for a brace that has no other.
    """
    texts, expressions, at = [], [], 0
    for match in _PLACEHOLDER.finditer(template):
        texts.append(template[at : match.start()])
        expressions.append(match[1])
        at = match.end()
    texts.append(template[at:])
    if any("{" in text or "}" in text for text in texts):
        raise ValueError(template)
    return texts, expressions


def filler(texts: Sequence[str]) -> Callable[..., str | None]:
    """Return a function from the values of the placeholders to the URL, None if one of them is NULL.

    It raises RecordError for a value that would lead elsewhere: a path can't be left by `..`.
    """

    def fill(*values: Any) -> str | None:
        if None in values:
            return None
        parts = [texts[0]]
        for value, text in zip(values, texts[1:], strict=True):
            parts += [_escaped(value), text]
        return "".join(parts)

    return fill


def _escaped(value: Any) -> str:
    text = value if value.__class__ is str else _text(value)
    if text in (".", "..", ""):
        raise RecordError("transform.enrich.invalid_request", f"{text!r} can't be part of a URL")
    return quote(text, safe="", errors="surrogatepass")


def _text(value: Any) -> str:
    return json_of(value).decode().strip('"')
