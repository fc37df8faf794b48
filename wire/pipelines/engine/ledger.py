"""The acknowledgement ledger: which batches are done with, and up to where each partition may be checkpointed.

Invariant I2 lives here: a partition's low-water position moves over a batch only when every branch that batch went
to has settled it, and every batch before it is settled too. Pure bookkeeping: no I/O, no clock.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from wire.core.records import PartitionKey, Position


class Ticket(Struct, eq=False):
    """One batch under way, read at `read_at`. `open` counts the holders that have not settled it yet.

    `number` rises from batch to batch, whatever the partition. `loose` are those of the holders that let go of it
    rather than hold up others.
    """

    number: int
    partition: PartitionKey
    position: Position
    read_at: float
    records: int
    bytes: int
    open: int
    loose: int = 0


class Ledger:
    """Tracks the batches of every partition in the order they were read."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._queues: dict[PartitionKey, deque[Ticket]] = {}
        self._tracked = 0
        self._sealed = 0
        self.pending_sealed = 0
        self._advanced: dict[PartitionKey, Position] = {}
        self.pending_records = 0
        self.pending_bytes = 0
        self.pending_batches = 0

    def track(self, partition: PartitionKey, position: Position, read_at: float, records: int, size: int) -> Ticket:
        """Enter a batch read from `partition`; it is held open once, by whoever dispatches it.

        Batches of one partition are entered in the order they were read. The dispatcher calls `hold` for each branch
        and then `settle` for itself, so that a batch that went nowhere is settled too.
        """
        self._tracked += 1
        ticket = Ticket(self._tracked, partition, position, read_at, records, 0, 0)
        self._queues.setdefault(partition, deque()).append(ticket)
        self.pending_records += records
        self.pending_batches += 1
        self.hold(ticket, size)
        return ticket

    def hold(self, ticket: Ticket, size: int = 0) -> None:
        """Say that one more holder has to settle this batch, and keeps `size` more bytes of it in memory.

        Only while something still holds it.
        """
        ticket.open += 1
        ticket.bytes += size
        self.pending_bytes += size

    def settle(self, ticket: Ticket) -> None:
        """Say that one holder is done: all its records are durable, filtered or dead-lettered.

        When it was the last holder, the partition's low-water position moves over every settled batch at its front.
        """
        ticket.open -= 1
        if ticket.open:
            return
        self.pending_records -= ticket.records
        self.pending_bytes -= ticket.bytes
        self.pending_batches -= 1
        self.pending_sealed -= ticket.number <= self._sealed
        queue = self._queues[ticket.partition]
        while queue and not queue[0].open:  # I2: never past a batch that is still open
            self._advanced[ticket.partition] = queue.popleft().position
        if not queue:
            del self._queues[ticket.partition]

    def seal(self, number: int) -> None:
        """Have `pending_sealed` count the batches up to a number that are not settled."""
        self._sealed = number
        tickets = (ticket for queue in self._queues.values() for ticket in queue)
        self.pending_sealed = sum(ticket.open > 0 and ticket.number <= number for ticket in tickets)

    def outstanding(self, partition: PartitionKey) -> bool:
        """Say whether something was read from this partition that no `take` has covered yet."""
        return partition in self._queues or partition in self._advanced

    def take(self) -> dict[PartitionKey, Position]:
        """Return the low-water position of every partition that moved since the last `take`."""
        advanced, self._advanced = self._advanced, {}
        return advanced
