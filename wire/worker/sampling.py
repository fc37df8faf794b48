"""Takes a sample of the records that go to a task's sinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from wire.core.records import Batch
from wire.worker.protocol import Sample, Tap, Tapped

MAX_SAMPLE_BYTES: Final = 1 << 16


class SampleTaker:
    """Sends the next records it is shown, as many as were asked for, batch by batch."""

    def __init__(self, asked: Tap, send: Callable[[Tapped], None]) -> None:
        """Begin to count."""
        self._run = asked.run
        self._left = asked.count
        self._send = send

    def __call__(self, sinks: Sequence[str], source: str, outputs: Sequence[Batch]) -> bool:
        """Look at a batch for each of the `sinks`; say whether more are wanted."""
        samples: list[Sample] = []
        for sink, batch in zip(sinks, outputs, strict=True):
            for record in batch.records[: self._left - len(samples)]:
                value = record.value and record.value[:MAX_SAMPLE_BYTES]
                samples.append(Sample(sink, source, batch.partition, record.offset, record.key, value))
        if samples:
            self._left -= len(samples)
            self._send(Tapped(self._run, tuple(samples)))
        return self._left > 0
