"""Harnesses of the sources without a system behind them: `stdin` and `generate`."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import ReadLimit, Source
from wire.core.records import PartitionId
from wire.sources.generate.fields import ChoiceField, FieldSpec, NumberField, SequenceField, TextField
from wire.sources.generate.source import GenerateConfig, GenerateSource
from wire.sources.stdin import StdinConfig, StdinSource
from wire.testing.clock import VirtualClock
from wire.testing.harness import FixedSourceHarness, SourceHarness


class Stdin(SourceHarness):
    """A pipe for every instance, each with the whole input in it, as when a command is run again."""

    resumes = False
    format: ClassVar[Format] = JsonFormat()
    header: ClassVar[bytes] = b""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request
        self.input = b""
        self.write_end = -1

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        rows = [self.row(value) for value in itertools.chain.from_iterable(values)]
        self.input = self.header + b"".join(row + b"\n" for row in rows)
        return {PartitionId("stdin"): rows}

    def row(self, value: bytes) -> bytes:
        return value

    def source(self, *, bounded: bool) -> Source:
        read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, 1 << 20)
        assert os.write(self.write_end, self.input) == len(self.input)
        self.request.addfinalizer(lambda: os.close(read_end))
        if bounded:
            os.close(self.write_end)
        else:
            write_end = self.write_end
            self.request.addfinalizer(lambda: os.close(write_end))
        config = StdinConfig(format=self.format)
        return StdinSource(config, ComponentContext("conformance", "stdin", bounded=bounded), descriptor=read_end)

    def elsewhere(self) -> None:
        return None

    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        rows = [self.row(value) for value in values]
        for row in rows:
            os.write(self.write_end, row[:5])
            os.write(self.write_end, row[5:] + b"\n")
        return rows


class StdinCsv(Stdin):
    format = CsvFormat()
    header = b"document,note\n"

    def row(self, value: bytes) -> bytes:
        return b'"' + value.replace(b'"', b'""') + b'","two\nlines"'


class Generate(FixedSourceHarness):
    """Makes its records up: what there is to read is what one reader gives at once."""

    rate: ClassVar[float | None] = None

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.count = 0

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        self.count = sum(map(len, values))
        source = self._source(rate=None, seed=7)
        (partition,) = await source.partitions()
        reader = await source.open(partition, None)
        whole = await reader.read(ReadLimit(max_records=self.count, max_bytes=1 << 30))
        assert whole is not None
        assert len(whole.records) == self.count
        return {partition: [record.value or b"" for record in whole.records]}

    def source(self, *, bounded: bool) -> Source:
        return self._source(rate=self.rate, seed=7)

    def elsewhere(self) -> Source:
        return self._source(rate=self.rate, seed=8)

    def _source(self, rate: float | None, seed: int) -> Source:
        fields: dict[str, FieldSpec] = {
            "id": SequenceField(start=5, step=3),
            "kind": ChoiceField(values=["a", {"b": [1]}], weights=[3, 1]),
            "number": NumberField(),
            "text": TextField(length=20),
        }
        config = GenerateConfig(fields=fields, count=self.count, rate=rate, seed=seed)
        clock = VirtualClock(autojump=True)
        return GenerateSource(config, ComponentContext("conformance", "generate", bounded=True, clock=clock))


class GenerateAtARate(Generate):
    rate = 1000.0
