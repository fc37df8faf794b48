"""A member's folder: its log in one folder of it, its snapshots in another."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from wire.raft.storage.files import DiskFiles
from wire.raft.storage.locking import locked
from wire.raft.storage.segments import NAME
from wire.raft.storage.snapshots import FileSnapshots
from wire.raft.storage.wal import SEGMENT_BYTES, WriteAheadLog
from wire.raft.types import MemberId

log = structlog.get_logger()

_LOG: Final = "log"


def open_member_log(
    folder: Path, cluster_id: str, me: MemberId, *, segment_bytes: int = SEGMENT_BYTES, compress: bool = False
) -> WriteAheadLog:
    """Open a member's log, or begin one; log what had to be cut off. Blocking. Raises as `WriteAheadLog` does."""
    owner = f"{cluster_id}/{me}".encode()
    found = WriteAheadLog(DiskFiles(folder / _LOG), owner, segment_bytes=segment_bytes, compress=compress)
    if found.recovered is not None:
        log.warning("raft_log_cut", recovery=str(found.recovered))
    return found


def open_member_snapshots(folder: Path, cluster_id: str) -> FileSnapshots:
    """Open a member's snapshots. Blocking. Raises StorageError."""
    return FileSnapshots(DiskFiles(folder / "snapshots"), cluster_id.encode())


def begin_log(folder: Path, cluster_id: str, me: MemberId) -> None:
    """Have a member's log on disk, empty if there was none: from then on one that is gone was lost. Blocking."""
    with locked(folder):
        begun = has_log(folder)
        opened = open_member_log(folder, cluster_id, me)
        try:
            if not begun:
                opened.reset(0, 0)
                opened.sync()
                DiskFiles(folder).sync()  # the name of the log's folder
        finally:
            opened.close()


def has_log(folder: Path) -> bool:
    """Whether anything of a log is there, whatever is in it. Blocking. Raises OSError where that can't be seen."""
    try:
        return any(NAME.fullmatch(file.name) for file in (folder / _LOG).iterdir())
    except FileNotFoundError:
        return False
