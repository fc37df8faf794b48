"""Takes samples of the records that go to a task's sinks, for whoever taps its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from wire.core.clock import Clock
from wire.core.records import Batch
from wire.worker.masking import shown
from wire.worker.protocol import Sample, Tap, Tapped

MOST_PER_SECOND: Final = 50
"""Of one task, for one who taps: reading records to mask what is in them costs the task its time."""


class SampleTaker:
    """Sends the next records it is shown, as many as were asked for, batch by batch, and so many a second."""

    def __init__(self, asked: Tap, send: Callable[[Tapped], None], clock: Clock) -> None:
        """Begin to count."""
        self._asked = asked
        self._left = asked.count
        self._send = send
        self._clock = clock
        self._second = clock.monotonic()
        self._taken = 0

    def __call__(self, sinks: Sequence[str], source: str, outputs: Sequence[Batch]) -> bool:
        """Look at a batch for each of the `sinks`; say whether more are wanted."""
        samples: list[Sample] = []
        room = min(self._left, self._room())
        for sink, batch in zip(sinks, outputs, strict=True):
            for record in batch.records[: room - len(samples)]:
                key, value = shown(record.key), shown(record.value)
                samples.append(Sample(sink, source, batch.partition, record.offset, record.ts_ms, key, value))
        if samples:
            self._left -= len(samples)
            self._taken += len(samples)
            self._send(Tapped(self._asked.id, self._asked.run, tuple(samples)))
        return self._left > 0

    def _room(self) -> int:
        now = self._clock.monotonic()
        if now - self._second >= 1:
            self._second, self._taken = now, 0
        return max(0, MOST_PER_SECOND - self._taken)


class Takers:
    """Those who tap one task."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._by_id: dict[int, SampleTaker] = {}

    def add(self, id_: int, taker: SampleTaker) -> None:
        """Let somebody see what passes, until it is enough or `remove` is called."""
        self._by_id[id_] = taker

    def remove(self, id_: int) -> None:
        """Show nothing to somebody any more. Idempotent."""
        self._by_id.pop(id_, None)

    def __call__(self, sinks: Sequence[str], source: str, outputs: Sequence[Batch]) -> bool:
        """Show a batch for each of the `sinks` to all; say whether anybody wants more."""
        for id_, taker in list(self._by_id.items()):
            if not taker(sinks, source, outputs):
                del self._by_id[id_]
        return bool(self._by_id)
