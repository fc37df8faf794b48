"""A cursor that decodes an answer in one go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import CodecOptions, decode
from pymongo.asynchronous.cursor import AsyncCursor


class OnePassCursor(AsyncCursor[dict[str, Any]]):
    """The library's own cursor, but for this: with type decoders that one takes each document apart twice."""

    def _unpack_response(
        self,
        response: Any,
        cursor_id: int | None,
        codec_options: CodecOptions[Any],
        user_fields: Mapping[str, Any] | None = None,
        legacy_response: bool = False,
    ) -> list[Any]:
        return [decode(response.raw_command_response(), codec_options)]
