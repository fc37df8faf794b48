"""What the file source and the file sink share about the names of files."""

from __future__ import annotations


def is_text(path: str) -> bool:
    """Say whether a path can be written as UTF-8: Python stands in half characters for bytes that are not."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
