"""Harnesses of the `file` sink: one file, rotated files, computed paths; every format and compression."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import zstandard

from wire.core.config import ByRecord, Expression
from wire.core.formats import CsvFormat, Format, JsonFormat, TextFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink
from wire.core.records import Batch
from wire.sinks.file.config import FileSinkConfig, Rotate
from wire.sinks.file.sink import FileSink
from wire.testing.harness import RefusingSinkHarness, SinkHarness


class OneFile(SinkHarness):
    transactional = True
    name: ClassVar[str] = "out.jsonl"
    format: ClassVar[Format] = JsonFormat()
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.folder: Path = request.getfixturevalue("tmp_path")

    def sink(self) -> Sink:
        config = FileSinkConfig(path=str(self.folder / self.name), format=self.format, **self.options)
        return FileSink(config, ComponentContext("conformance", "file"))

    async def read_back(self) -> Sequence[bytes]:
        unfinished = (".tmp", ".part", ".copy", ".epoch")
        paths = sorted(p for p in self.folder.rglob("*") if p.is_file() and not p.name.endswith(unfinished))
        return [value for path in paths for value in self.values_in(_content(path))]

    def values_in(self, content: bytes) -> Iterator[bytes]:
        return iter(content.splitlines())


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(data)
        case ".zst":
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
                return stream.read()
        case _:
            return data


class Text(OneFile, RefusingSinkHarness):
    name = "out.txt"
    format = TextFormat()

    def refused(self) -> bytes:
        return b"two\nlines"


class Csv(OneFile):
    """Rows with quotes, delimiters and line breaks in them, and one header a file."""

    name = "out.csv"
    format = CsvFormat(columns=["document", "note"])

    def value(self, document: bytes) -> bytes:
        return _row([document.decode(), 'two\nlines, "quoted"'])

    def values_in(self, content: bytes) -> Iterator[bytes]:
        rows = csv.reader(io.StringIO(content.decode(), newline=""))
        assert next(rows) == ["document", "note"]
        return map(_row, rows)


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


class Gzip(OneFile):
    name = "out.jsonl.gz"


class Zstd(OneFile):
    name = "out.jsonl.zst"


class Rotating(OneFile):
    options: ClassVar[dict[str, Any]] = {"rotate": Rotate(max_records=5)}


class RotatingCsv(Csv):
    options: ClassVar[dict[str, Any]] = {"rotate": Rotate(max_records=5)}


class RotatingGzip(Gzip):
    options: ClassVar[dict[str, Any]] = {"rotate": Rotate(max_records=5)}


class ComputedPaths(OneFile):
    """A file per partition, fewer of them open than there are."""

    def sink(self) -> Sink:
        path = ByRecord(expr=Expression("partition || '.jsonl'"))
        config = FileSinkConfig(path=path, directory=str(self.folder), max_open_files=2)
        return FileSink(config, ComponentContext("conformance", "file"))

    def prepare(self, batch: Batch) -> Batch:
        batch.columns = {"path": [f"{batch.partition}.jsonl"] * len(batch.records)}
        return batch


FILE_SINKS = (OneFile, Text, Csv, Gzip, Zstd, Rotating, RotatingCsv, RotatingGzip, ComputedPaths)
