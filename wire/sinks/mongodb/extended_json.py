"""From Extended JSON to BSON's types."""

from __future__ import annotations

import datetime
from typing import Any, Final

from bson import ObjectId
from bson.codec_options import DatetimeConversion
from bson.json_util import JSONMode, JSONOptions, object_hook

# DATETIME_MS: BSON's dates reach further than Python's
_OPTIONS: Final = JSONOptions(json_mode=JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS)


def revived(value: Any) -> Any:
    """Return plain JSON data with what is Extended JSON in it as BSON's types; changes `value`.

    Raises ValueError where something looks like Extended JSON but is not, RecursionError where it nests too deeply.
    """
    if type(value) is dict:
        for key, item in value.items():
            if type(item) is dict or type(item) is list:
                value[key] = revived(item)
        return _typed(value) if any(key[:1] == "$" for key in value) else value
    if type(value) is list:
        return [revived(item) if type(item) is dict or type(item) is list else item for item in value]
    return value


def _typed(value: dict[str, Any]) -> Any:
    try:
        if len(value) == 1:  # the usual ones, without the library's detours
            if type(text := value.get("$oid")) is str:
                return ObjectId(text)
            if type(text := value.get("$date")) is str:
                return datetime.datetime.fromisoformat(text)
        return object_hook(value, _OPTIONS)
    except Exception as exc:  # whatever its parsers stumble over: KeyError, InvalidId, decimal's own, …
        raise ValueError(f"no Extended JSON: {exc}") from exc
