"""The `generate` source and its reader."""

from __future__ import annotations

import hashlib
import json
import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, repeat
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, field

from wire.core.clock import Clock
from wire.core.config import Config, MisfitError, doc
from wire.core.errors import ConfigError, Finding
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, Fingerprint, PartitionId, Position, Record
from wire.core.units import Size
from wire.sources.generate.fields import (
    ChoiceField,
    FieldSpec,
    NowField,
    NumberField,
    SequenceField,
    values,
)

_PARTITION: Final = PartitionId("generate")
_BLOCK: Final = 1024
_TICK_S: Final = 0.001
_PADDING: Final = ',"padding":"'


def _sample() -> dict[str, FieldSpec]:
    return {
        "id": SequenceField(),
        "sensor": ChoiceField(values=["kitchen", "hall", "attic"]),
        "temperature": NumberField(min=15, max=30, decimals=1),
        "at": NowField(),
    }


class GenerateConfig(Config, frozen=True, kw_only=True):
    """Makes up JSON records. The same seed and fields give the same records, after a restart too."""

    fields: Annotated[
        dict[str, FieldSpec],
        doc("The fields of a record: a kind by its name alone (`id: sequence`) or with its settings."),
    ] = field(default_factory=_sample)
    rate: Annotated[
        float | None,
        doc("Records per second, evenly spread; what could not be read in time follows at once. No limit if absent."),
    ] = None
    count: Annotated[int | None, Meta(ge=0, description="How many records there are; endless if absent.")] = None
    seed: Annotated[int, doc("Other seeds give other records.")] = 0
    size: Annotated[Size | None, doc("Fill each record up to so many bytes, with a field `padding`.")] = None

    def __post_init__(self) -> None:
        if not self.fields:
            raise MisfitError(
                "`fields` must hold at least one field", "as in fields: {id: sequence}; left out, there is an `id`"
            )
        if self.rate is not None and not self.rate > 0:
            raise MisfitError("`rate` must be greater than 0", "leave it out for no limit")


class GenerateSource:
    """One partition of made-up records. A position is the number of records before it."""

    format: Format = JsonFormat()
    max_readers: int | None = None

    def __init__(self, config: GenerateConfig, context: ComponentContext) -> None:
        """Prepare to make records up."""
        self._config = config
        self._context = context

    def fingerprint(self) -> Fingerprint:  # noqa: D102 (contract in Source)
        identity = msgspec.json.encode([self._config.fields, self._config.seed, self._config.size])
        return Fingerprint(hashlib.blake2b(identity, digest_size=16).digest())

    async def partitions(self) -> Sequence[PartitionId]:
        """Return the one there is. Raises ConfigError when records without end are to be read to their end."""
        if self._context.bounded and self._config.count is None:
            finding = Finding(
                code="source.generate.endless",
                path="$.source.config.count",
                message="the generated records have no end to run until",
                hint="set `count`, or run without --until-eof",
            )
            raise ConfigError([finding])
        return [_PARTITION]

    async def open(self, partition: PartitionId, resume: Position | None) -> GenerateReader:  # noqa: D102 (contract in Source)
        first = msgspec.msgpack.decode(resume, type=int) if resume else 0
        return GenerateReader(self._config, first, self._context.clock)

    async def close(self) -> None:
        """Do nothing."""


class GenerateReader:
    """A `Reader` of made-up records, from number `first` on. With a rate, record times are when records were due."""

    def __init__(self, config: GenerateConfig, first: int, clock: Clock) -> None:
        """Begin with record number `first`."""
        self._rate = config.rate
        self._count = config.count
        self._clock = clock
        self._blocks = _Blocks(config)
        self._first = self._next = first
        self._started_s: float | None = None
        self._started_ms = 0
        self._bytes = 1.0  # of a record, about
        self._closed = False

    async def read(self, limit: ReadLimit) -> Batch | None:  # noqa: D102 (contract in Reader)
        left = self._left()
        if self._closed or left == 0:
            return None
        most = min(limit.max_records, 1 + int(limit.max_bytes / self._bytes))
        if left is not None:
            most = min(most, left)
        if self._rate is not None:
            most = min(most, await self._due(self._rate))
        return self._batch(most, limit.max_bytes)

    def _left(self) -> int | None:
        return None if self._count is None else max(0, self._count - self._next)

    async def _due(self, rate: float) -> int:
        """Wait until a record is due; return how many are."""
        if self._started_s is None:
            self._started_s, self._started_ms = self._clock.monotonic(), self._clock.now_ms()
        while True:
            passed_s = self._clock.monotonic() - self._started_s
            due = 1 + int(passed_s * rate) - (self._next - self._first)
            if due > 0:
                return due
            await self._clock.sleep(max(_TICK_S, (self._next - self._first) / rate - passed_s))

    def _batch(self, count: int, max_bytes: int) -> Batch:
        times = self._times(count)
        values = self._blocks.render(self._next, times)
        sizes = list(accumulate(map(len, values)))
        fitting = max(1, bisect_right(sizes, max_bytes))
        self._bytes = sizes[-1] / len(sizes)
        offsets = range(self._next, self._next + fitting)
        records = list(map(Record, values, repeat(None), times, repeat(()), offsets))
        self._next = offsets.stop
        return Batch(_PARTITION, Position(msgspec.msgpack.encode(self._next)), records)

    def _times(self, count: int) -> list[int]:
        if self._rate is None:
            return [self._clock.now_ms()] * count
        step_ms, before = 1000 / self._rate, self._next - self._first
        return [self._started_ms + int(i * step_ms) for i in range(before, before + count)]

    async def release(self, upto: Position) -> None:
        """Do nothing: made-up records can always be made again."""

    def lag(self) -> Lag:  # noqa: D102 (contract in Reader)
        return Lag(records=self._left())

    async def close(self) -> None:  # noqa: D102 (contract in Reader)
        self._closed = True


class _Blocks:
    """Renders records. They are made in blocks, each from the seed and its number alone; the last block is kept."""

    def __init__(self, config: GenerateConfig) -> None:
        self._fields: Mapping[str, FieldSpec] = config.fields
        self._seed = config.seed
        names = (json.dumps(name).replace("%", "%%") for name in config.fields)
        self._template = "{" + ",".join(f"{name}:%s" for name in names)
        # what a record lacks to its size is what is left of the filling behind as many letters as it has
        self._filling = "x" * (config.size.bytes - len(_PADDING) - len('"}')) if config.size else ""
        self._number: int | None = None
        self._columns: list[list[Any] | None] = []

    def render(self, first: int, times: Sequence[int]) -> list[bytes]:
        """Return the records from number `first` on, one for each time."""
        rows: list[str] = []
        while len(rows) < len(times):
            number, start = divmod(first + len(rows), _BLOCK)
            stop = min(_BLOCK, start + len(times) - len(rows))
            rows += self._rows(number, start, times[len(rows) : len(rows) + stop - start])
        if self._filling:
            rows = [f'{row}{_PADDING}{self._filling[len(row) :]}"}}' for row in rows]
        else:
            rows = [row + "}" for row in rows]
        return "\n".join(rows).encode().split(b"\n")

    def _rows(self, number: int, start: int, times: Sequence[int]) -> list[str]:
        if number != self._number:
            self._columns = [self._column(name, spec, number) for name, spec in self._fields.items()]
            self._number = number
        stop = start + len(times)
        columns = [times if column is None else column[start:stop] for column in self._columns]
        return [self._template % row for row in zip(*columns, strict=True)]

    def _column(self, name: str, spec: FieldSpec, number: int) -> list[Any] | None:
        if isinstance(spec, NowField):
            return None
        rng = random.Random(f"{self._seed}/{name}/{number}")  # noqa: S311 (repeatable is the point)
        return values(spec, rng, number * _BLOCK, _BLOCK)
