"""A pipeline's life around the file sink: what the engine does with it, and what it keeps."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard

from wire.core.clock import Clock, SystemClock
from wire.core.config import parse
from wire.core.errors import Finding
from wire.core.plugins import ComponentContext
from wire.core.ports import Failure, TaskId
from wire.core.records import Batch, Checkpoint, Fingerprint, PartitionId, Position, Record
from wire.sinks.file import PLUGIN
from wire.sinks.file.sink import FileWriter

PARTITION = PartitionId("p")
TEMPORARY = (".tmp", ".part", ".copy", ".epoch")


def batch(*values: bytes | None, paths: Sequence[object] | None = None) -> Batch:
    """Return a batch of values, with computed paths where the sink asks for them."""
    records = [Record(value, None, 0, (), i) for i, value in enumerate(values)]
    return Batch(PARTITION, Position(b""), records, columns=None if paths is None else {"path": list(paths)})


class Pipeline:
    """Opens the sink again and again, as restarts do, and keeps the last stored checkpoint in between."""

    def __init__(self, *, clock: Clock | None = None, slot: int = 0, **config: Any) -> None:
        """Configure the sink as in YAML."""
        self.config = config
        self.epoch = 0
        self.stored: Checkpoint | None = None
        self._clock = clock or SystemClock()
        self._slot = slot

    async def open(self) -> FileWriter:
        """Start anew at the last stored checkpoint."""
        findings: list[Finding] = []
        config = parse(PLUGIN.config, self.config, "$", findings)
        assert not findings, findings
        self.epoch += 1
        sink = PLUGIN.build(config, ComponentContext("test", "file", clock=self._clock))
        recover = {PARTITION: self.stored} if self.stored else {}
        writer = await sink.open(TaskId("default/test", self._slot), self.epoch, recover)
        assert isinstance(writer, FileWriter)
        return writer

    async def commit(self, writer: FileWriter) -> None:
        """Commit, and store the token; the writer does not learn of it."""
        seq = self.stored.seq + 1 if self.stored else 1
        checkpoint = Checkpoint(generation=0, seq=seq, position=Position(b""), source=Fingerprint(b""))
        token = await writer.commit({PARTITION: checkpoint})
        self.stored = Checkpoint(generation=0, seq=seq, position=Position(b""), source=Fingerprint(b""), sink=token)

    async def checkpoint(self, writer: FileWriter) -> None:
        """Commit, store, and tell the writer."""
        await self.commit(writer)
        await writer.committed()

    async def run(self, *batches: Batch) -> Sequence[Failure]:
        """One whole run: open, write, checkpoint, close."""
        writer = await self.open()
        failures = [failure for each in batches for failure in await writer.write([each])]
        await self.checkpoint(writer)
        await writer.close()
        return failures


def finished(folder: Path) -> dict[str, bytes]:
    """Return the finished files by name, decompressed."""
    return {
        str(path.relative_to(folder)): content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(TEMPORARY)
    }


def unfinished(folder: Path) -> list[Path]:
    """Return what else is there."""
    return [path for path in sorted(folder.rglob("*")) if path.name.endswith(TEMPORARY)]


def parts(folder: Path) -> list[Path]:
    """Return the files that are being written."""
    return [path for path in unfinished(folder) if path.name.endswith((".tmp", ".part"))]


def content(path: Path) -> bytes:
    """Return what is in a file, decompressed."""
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return data
