"""What flows through a pipeline, and where it can be resumed.

Records carry raw bytes; nothing is decoded until a pipeline's plan asks for it. All of these are msgspec Structs
without garbage-collector tracking where they hold no cycles: a million of them cost no collection time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, NewType

from msgspec import Struct

PartitionId = NewType("PartitionId", str)
"""A part of a source that is read in order: `topic/3`, a file's path. Stable across restarts."""

Position = NewType("Position", bytes)
"""Where to resume within a partition. Only the source that made it can read it."""

Fingerprint = NewType("Fingerprint", bytes)
"""Identifies what a source reads, so that a position is never used on something else."""

Headers = tuple[tuple[str, bytes | None], ...]
"""Names and values, in order; a name may come several times, and without a value (None)."""


class PartitionKey(NamedTuple):
    """Names a partition within a pipeline that may have several sources."""

    source: str
    partition: PartitionId


class Record(Struct, gc=False):
    """One record. `value` None is a tombstone.

    `ts_ms` is the event time in UTC milliseconds since 1970. `offset` is the record's coordinate within its partition
    (a Kafka offset, a byte offset in a file) and rises with every record, or at least never falls. `ordinal` tells
    those with one offset apart (the changes of a MongoDB transaction, the records that `explode` makes of one), in no
    order. Partition, offset and ordinal are the record's id: the same whenever it is read again.
    """

    value: bytes | None
    key: bytes | None
    ts_ms: int
    headers: Headers
    offset: int
    ordinal: int = 0


class Batch(Struct):
    """Consecutive records of one partition.

    `position` says where to resume *after* this batch. A batch without records is allowed: it moves the position over
    something that holds none. `watermark_ms` promises that no later record has an earlier event time; None promises
    nothing. `columns` holds what a sink asked the plan to compute per record (a topic, a path, an id): column name to
    a list as long as `records`. `source` is the name of the source in the pipeline: sinks and dead letters get it, a
    reader leaves it empty.
    """

    partition: PartitionId
    position: Position
    records: list[Record]
    watermark_ms: int | None = None
    columns: dict[str, list[Any]] | None = None
    source: str = ""

    def take(self, indices: Sequence[int]) -> Batch:
        """Return a batch of only these records, in this order, with their columns and the same position."""
        columns = self.columns and {name: [column[i] for i in indices] for name, column in self.columns.items()}
        records = [self.records[i] for i in indices]
        return Batch(self.partition, self.position, records, self.watermark_ms, columns, self.source)


class Checkpoint(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where one partition of one source can be resumed: everything before `position` is done with.

    `seq` rises by one with every commit within a `generation`; a reset raises the generation (I3). `sink` is what the
    sink needs to recover to exactly this point, None where it needs nothing. `state` refers to keyed state, None
    for stateless pipelines.
    """

    generation: int
    seq: int
    position: Position
    source: Fingerprint
    sink: bytes | None = None
    state: str | None = None
