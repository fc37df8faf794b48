"""What a file is called in checkpoints, logs and messages, which hold text, while a file's name may be any bytes."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from wire.clients.file_names import is_text
from wire.core.records import PartitionId

_ENCODED: Final = "file:"


def name_of(path: str) -> PartitionId:
    """Return the path itself, or `file:` and its bytes in percent-encoding where they are not UTF-8.

    A path that begins with `file:` is encoded too, so that every name stands for one path.
    """
    if is_text(path) and not path.startswith(_ENCODED):
        return PartitionId(path)
    return PartitionId(_ENCODED + quote(os.fsencode(path)))


def path_of(name: PartitionId) -> str:
    """Return the path that `name_of` gave this name."""
    return os.fsdecode(unquote_to_bytes(name.removeprefix(_ENCODED))) if name.startswith(_ENCODED) else name
