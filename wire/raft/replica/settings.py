"""Times and limits of consensus. They should be the same on all members; the request limits must be."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wire.raft.storage.wal import SEGMENT_BYTES

_MIB: Final = 1 << 20


class RaftSettings(Struct, frozen=True, kw_only=True):
    """An election begins when nothing was heard of a leader for a random time between the two bounds."""

    heartbeat_s: float = 0.15
    election_min_s: float = 0.8
    election_max_s: float = 1.6
    max_append_bytes: int = _MIB  # of one message, but for a single larger command
    max_command_bytes: int = 64 * _MIB
    max_uncommitted_bytes: int = 256 * _MIB  # proposals beyond are refused (I8)
    max_requests: int = 50_000  # results remembered, so that a proposal that is repeated is carried out once
    max_requests_bytes: int = 32 * _MIB
    snapshot_bytes: int = 64 * _MIB  # of commands behind the last snapshot, for the next
    snapshot_entries: int = 100_000
    snapshot_interval_s: float = 3600.0  # after so long also for less, if there is anything new
    trailing_entries: int = 10_000  # kept behind a snapshot for members that are a little late
    snapshot_piece_bytes: int = _MIB
    segment_bytes: int = SEGMENT_BYTES  # of the log, in one file
    compress_segments: bool = False  # with zstd, once they are not written to any more
    learner_messages_per_s: int = 2000  # with entries, to all together: beyond that entries wait for each other
    apply_budget_s: float = 0.005  # of applying in one turn, then others may run
