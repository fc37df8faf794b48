"""Small logs on a simulated disk."""

from __future__ import annotations

import pytest

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.log_suite import fill
from wire.raft.storage.errors import StorageError
from wire.raft.storage.wal import WriteAheadLog

ME = b"cluster/member"


def opened(disk: SimulatedFiles, *, segment_bytes: int = 1000, compress: bool = False) -> WriteAheadLog:
    return WriteAheadLog(disk, ME, segment_bytes=segment_bytes, compress=compress)


def written(disk: SimulatedFiles, count: int, *, compress: bool = False) -> WriteAheadLog:
    """A log of entries of 100 bytes, one per sync: eight to a segment."""
    log = opened(disk, compress=compress)
    for index in range(1, count + 1):
        fill(log, index, index, size=100)
        log.sync()
    return log


def refusal(disk: SimulatedFiles) -> StorageError:
    with pytest.raises(StorageError) as found:
        opened(disk)
    return found.value
