"""One process at a time in a member's data folder, for log and snapshots together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wire.core.locking import HeldError, lock_folder
from wire.raft.storage.errors import StorageError, refused


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process out of `folder`, which is made if it is not there. Raises StorageError."""
    try:
        descriptor = lock_folder(folder)
    except HeldError as exc:
        message = f"the data folder {folder} is in use by another member (process {exc.holder})"
        hint = "end that process, or give each member a data folder of its own"
        raise StorageError("raft.storage.locked", message, hint=hint) from exc
    except OSError as exc:
        raise refused(str(folder), "lock", exc) from exc
    try:
        yield
    finally:
        os.close(descriptor)
