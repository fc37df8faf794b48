"""Records as lines on standard output."""

from __future__ import annotations

import csv
import io
import os
import select
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from wire.core.clock import Clock
from wire.core.config import Config, doc
from wire.core.errors import FatalError
from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.plugins import ComponentContext, Plugin
from wire.core.ports import Failure, Guarantee, TaskId
from wire.core.records import Batch, Checkpoint, PartitionId

_PIECE: Final = select.PIPE_BUF
"""What a pipe that is ready for writing takes without blocking."""
_POLL_S: Final = 0.001


class StdoutConfig(Config, frozen=True, kw_only=True):
    """Writes records to standard output, one per line."""

    format: Annotated[
        Format,
        doc("How records are encoded. A record without a value is `null` in json, and an empty line in others."),
    ] = JsonFormat()


class StdoutSink:
    """Standard output, or another descriptor."""

    format: Format
    guarantee = Guarantee.AT_LEAST_ONCE
    carries_headers = False

    def __init__(self, config: StdoutConfig, context: ComponentContext, *, descriptor: int = 1) -> None:
        """Write to `descriptor`, which stays open."""
        self.format = config.format
        self._clock = context.clock
        self._descriptor = descriptor

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> StdoutWriter:
        """Begin with a header if the format has one. Raises FatalError when nobody reads."""
        writer = StdoutWriter(self.format, self._clock, self._descriptor)
        await writer.begin()
        return writer


class StdoutWriter:
    """A `Writer`: done when the records are handed to whoever reads. Never blocks the event loop on a slow reader."""

    max_in_flight = 1

    def __init__(self, file_format: Format, clock: Clock, descriptor: int) -> None:
        """Write to `descriptor`."""
        self._format = file_format
        self._null = b"null" if isinstance(file_format, JsonFormat) else b""
        self._clock = clock
        self._descriptor = descriptor
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)

    async def begin(self) -> None:
        """Write the header, where there is one."""
        if isinstance(self._format, CsvFormat) and self._format.columns:
            header = io.StringIO()
            csv.writer(header, delimiter=self._format.delimiter, lineterminator="\n").writerow(self._format.columns)
            await self._put(header.getvalue().encode())

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Return once all lines are handed over. Raises FatalError when nobody reads them any more."""
        lines = [self._line(record.value) for batch in batches for record in batch.records]
        if lines:
            await self._put(b"\n".join(lines) + b"\n")
        return ()

    def _line(self, value: bytes | None) -> bytes:
        if value is None:
            return self._null
        if isinstance(self._format, JsonFormat) and b"\n" in value:
            return value.replace(b"\n", b" ")  # in JSON a line break can only stand where a space can
        return value

    async def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if not self._ready.poll(0):
                await self._clock.sleep(_POLL_S)
                continue
            try:
                rest = rest[os.write(self._descriptor, rest[:_PIECE]) :]
            except BlockingIOError:
                await self._clock.sleep(_POLL_S)
            except BrokenPipeError as exc:
                raise FatalError("sink.stdout.closed", hint="whatever reads the output has ended") from exc
            except OSError as exc:
                hint = "look where the output goes: is that open, and is there room?"
                reason = f"can't write to standard output: {(exc.strerror or str(exc)).lower()}"
                raise FatalError("sink.stdout.write_failed", reason, hint=hint) from exc

    async def close(self) -> None:
        """Do nothing: the descriptor is the process's."""


PLUGIN = Plugin(
    kind="sink",
    summary="Writes records to standard output, one per line.",
    config=StdoutConfig,
    build=StdoutSink,
    terminal=True,
    example="""\
sink:
  type: stdout
""",
)
