"""JSON text."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wire.core.config import Config
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.reading import Several, invalid, text_of

_decode: Final = msgspec.json.Decoder().decode


class AsJson(Config, frozen=True, kw_only=True, tag="json", tag_field="type"):
    """JSON."""

    def reading(self, context: TransformContext) -> Several:
        """Return how it is read."""
        return Several(_read)


def _read(value: Any) -> Any:
    text = value if value.__class__ in (str, bytes) else text_of(value)
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        raise invalid("JSON", shown, str(exc).removeprefix("JSON is malformed: ")) from exc
