"""Taking snapshots: some MiB with each turn of the replica, so that nothing has to wait for the whole of one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import structlog

from wire.core.errors import FatalError, UnavailableError
from wire.raft.replica.library import monotonic
from wire.raft.replica.replica import Replica
from wire.raft.storage.ports import SnapshotInfo, SnapshotStore, SnapshotWriter
from wire.raft.threads import in_thread

log = structlog.get_logger()

_BYTES_PER_TURN: Final = 4 << 20
_PAUSE_S: Final = 5.0  # after one that failed for want of room


class Snapshotting:
    """One snapshot at a time, when it is due or somebody wants one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._wanted: list[asyncio.Future[SnapshotInfo]] = []
        self._waiting: list[asyncio.Future[SnapshotInfo]] = []
        self._chunks: Iterator[bytes] = iter(())
        self._writer: SnapshotWriter | None = None
        self._not_before = 0.0

    @property
    def under_way(self) -> bool:
        """Whether one is being written."""
        return self._writer is not None

    def wanted(self) -> asyncio.Future[SnapshotInfo]:
        """Return what will hold the next snapshot that is begun."""
        future: asyncio.Future[SnapshotInfo] = asyncio.get_running_loop().create_future()
        self._wanted.append(future)
        return future

    async def go_on(self, replica: Replica, store: SnapshotStore) -> None:
        """Begin one if it is time, or write some more of the one that was begun.

        On a full disk it is given up, and tried again later: what was there before stays.
        """
        try:
            if self._writer is None:
                if not self._is_time(replica):
                    return
                capture = replica.capture()
                self._chunks = capture.chunks
                self._waiting, self._wanted = self._wanted, []
                self._writer = await in_thread(store.begin, capture.index, capture.term, capture.configuration)
            if await in_thread(_write_some, self._chunks, self._writer):
                return
            info = await in_thread(self._writer.commit)
        except FatalError as error:
            await self._give_up(error)
            return
        self._writer = None
        replica.captured(info)
        for future in self._waiting:
            if not future.done():
                future.set_result(info)

    def stop(self) -> None:
        """Tell those who wait that there will be none."""
        error = UnavailableError("raft.stopped", "this member stopped")
        for future in (*self._waiting, *self._wanted):
            if not future.done():
                future.set_exception(error)

    def _is_time(self, replica: Replica) -> bool:
        return bool(self._wanted) or (monotonic() >= self._not_before and replica.snapshot_due())

    async def _give_up(self, error: FatalError) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await in_thread(writer.abort)
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
        if error.code not in ("raft.storage.full", "raft.snapshot.gone"):
            raise error
        log.warning("raft_snapshot_not_taken", error=str(error))
        self._not_before = monotonic() + _PAUSE_S


def _write_some(chunks: Iterator[bytes], writer: SnapshotWriter) -> bool:
    """Write some MiB of a snapshot; return whether there is more."""
    written = 0
    for chunk in chunks:
        writer.write(chunk)
        written += len(chunk)
        if written >= _BYTES_PER_TURN:
            return True
    return False
