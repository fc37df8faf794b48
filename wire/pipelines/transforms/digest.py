"""A short stand-in for a value, for remembering and comparing values of any length."""

from __future__ import annotations

import hashlib
from typing import Any

from wire.pipelines.codecs.json import encode


def digest(value: Any, salt: bytes = b"") -> bytes:
    """Return 16 bytes that are the same for the same value and salt (up to 64 bytes), everywhere and for ever.

    Values are told apart as JSON shows them: 1, 1.0 and '1' are three. Raises RecordError for what JSON can't hold.
    """
    return hashlib.blake2b(encode(value), digest_size=16, key=salt).digest()
