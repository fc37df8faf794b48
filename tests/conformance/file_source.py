"""Harnesses of the `file` source: every format and compression, whole files and growing ones."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import zstandard

from wire.core.formats import CsvFormat, Format, JsonFormat, TextFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import Source
from wire.core.records import PartitionId
from wire.sources.file.config import FileSourceConfig
from wire.sources.file.source import FileSource
from wire.testing.clock import VirtualClock
from wire.testing.harness import FixedSourceHarness, SourceHarness


class WholeFiles(FixedSourceHarness):
    """Lines of JSON, in files that are there from the beginning."""

    suffix: ClassVar[str] = ".jsonl"
    format: ClassVar[Format] = JsonFormat()
    header: ClassVar[bytes] = b""
    follows: ClassVar[bool] = False

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.folder: Path = request.getfixturevalue("tmp_path")

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        held = {}
        for number, each in enumerate(values):
            path = self.folder / f"part-{number}{self.suffix}"
            rows = self.rows(each)
            path.write_bytes(self.content(rows))
            held[PartitionId(str(path))] = rows
        return held

    def rows(self, values: Sequence[bytes]) -> Sequence[bytes]:
        """Return what is in the file for each value, without the line break."""
        return values

    def content(self, rows: Sequence[bytes]) -> bytes:
        return self.header + b"".join(row + b"\n" for row in rows)

    def source(self, *, bounded: bool) -> Source:
        return self.source_of(f"*{self.suffix}", bounded=bounded)

    def elsewhere(self) -> Source:
        return self.source_of("*.other", bounded=True)

    def source_of(self, name: str, *, bounded: bool) -> Source:
        config = FileSourceConfig(path=str(self.folder / name), format=self.format, follow=self.follows and not bounded)
        context = ComponentContext("conformance", "file", bounded=bounded, clock=VirtualClock(autojump=True))
        return FileSource(config, context)


class JsonLines(WholeFiles, SourceHarness):
    """The same in files that grow."""

    follows = True

    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        rows = self.rows(values)
        for row in rows:  # a follower must not take the first half of a row for a row
            await asyncio.to_thread(_append, partition, row[:5])
            await asyncio.to_thread(_append, partition, row[5:] + b"\n")
        return rows


def _append(path: str, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


class WholeCsv(WholeFiles):
    """Rows with quotes, delimiters and line breaks in them."""

    suffix = ".csv"
    format = CsvFormat()
    header = b"document,note\n"

    def rows(self, values: Sequence[bytes]) -> Sequence[bytes]:
        return [self._row(value.decode()) for value in values]

    def _row(self, document: str) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow([document, 'two\nlines, "quoted"'])
        return text.getvalue().encode()


class Csv(JsonLines, WholeCsv):
    """The same in files that grow."""


class TextWithoutFinalLineBreak(WholeFiles):
    suffix = ".txt"
    format = TextFormat()

    def content(self, rows: Sequence[bytes]) -> bytes:
        return b"\n".join(rows)


class Gzip(WholeFiles):
    suffix = ".jsonl.gz"

    def content(self, rows: Sequence[bytes]) -> bytes:
        """Return the rows, two to a member: members end in the middle of what is read at once."""
        pairs = [rows[i : i + 2] for i in range(0, len(rows), 2)] or [[]]
        return b"".join(self.member(super(Gzip, self).content(pair)) for pair in pairs)

    def member(self, data: bytes) -> bytes:
        return gzip.compress(data)


class Zstd(Gzip):
    suffix = ".jsonl.zst"

    def member(self, data: bytes) -> bytes:
        return zstandard.compress(data)


class GzippedCsv(WholeCsv):
    suffix = ".csv.gz"

    def content(self, rows: Sequence[bytes]) -> bytes:
        return gzip.compress(super().content(rows))


FILE_SOURCES = (JsonLines, Csv, TextWithoutFinalLineBreak, Gzip, Zstd, GzippedCsv)
