"""Members whose logs are long already: written as the members themselves write them, all the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks.consensus.callers import Work
from benchmarks.consensus.store import Store, command
from tests.services.consensus import Seat, found
from wire.raft.replica.proposing import COMMAND
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry

_TERM: Final = 1
_PER_SYNC: Final = 2000


def write(taken: Sequence[Seat], entries: int) -> None:
    """Found a cluster of these seats, with so many commands in its log. Blocks."""
    found(taken, Store)
    for seat in taken:
        files = DiskFiles(Path(seat.folder) / "log")
        work = Work()
        with closing(WriteAheadLog(files, f"{seat.cluster}/{seat.member.id}".encode())) as log:
            for number in range(1, entries + 1):
                request_id = number.to_bytes(16, "big")
                log.append(
                    Entry(number, _TERM, COMMAND + bytes((len(request_id),)) + request_id + command(*work.next()))
                )
                if number % _PER_SYNC == 0:
                    log.sync()
            log.sync()
