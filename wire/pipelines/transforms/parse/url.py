"""URLs, whole or without their beginning."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from wire.core.config import Config
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.reading import Fields, invalid, text_of

_NAMES: Final = ("scheme", "user", "host", "port", "path", "query", "params", "fragment")


class AsUrl(Config, frozen=True, kw_only=True, tag="url", tag_field="type"):
    """A URL, or the part of one that begins with its path."""

    def reading(self, context: TransformContext) -> Fields:
        """Return how it is read."""
        return Fields(_NAMES, _read)


def _read(value: Any) -> tuple[Any, ...]:
    text = text_of(value)
    try:
        url = urlsplit(text)
        params = dict(parse_qsl(url.query, keep_blank_values=True)) if url.query else {}
        user = unquote(url.username) if url.username else None
        return (
            url.scheme or None, user, url.hostname or None, url.port, url.path,
            url.query or None, params, url.fragment or None,
        )  # fmt: skip
    except ValueError as exc:
        raise invalid("a URL", text, str(exc)) from exc
