"""What storage raises, and how an error of the operating system becomes one."""

from __future__ import annotations

import errno
from typing import Final

from wire.core.errors import FatalError

_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


class StorageError(FatalError):
    """Log or snapshots can't keep their promises: the member must not acknowledge anything.

    Codes: `raft.storage.full` (there is no room), `raft.storage.failed` (the disk refused something),
    `raft.storage.damaged` (what is there is not what was written), `raft.storage.foreign` (it is another member's),
    `raft.storage.locked` (another process uses it), `raft.storage.version` (another version of Wire wrote it).
    """


def refused(path: str, what: str, exc: OSError) -> StorageError:
    """Return the error for what the operating system refused to do with a file."""
    if exc.errno in _NO_ROOM:
        hint = "free space on its disk: a node that runs goes on by itself then; start the node again if it has ended"
        return StorageError("raft.storage.full", f"no room to {what} {path}: {exc.strerror}", hint=hint)
    hint = "check the disk and the kernel's log, then restart the member"
    return StorageError("raft.storage.failed", f"can't {what} {path}: {exc.strerror or exc}", hint=hint)


def not_synced(path: str, exc: OSError) -> StorageError:
    """Return the error for a sync that failed, whatever the reason: what is on the disk is unknown from now on."""
    message = f"can't sync {path}: {exc.strerror or exc}; what is on the disk is not known"
    return StorageError("raft.storage.failed", message, hint="check the disk, make room, then restart the member")
