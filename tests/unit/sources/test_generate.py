"""Made-up records: the same for the same seed, in time, of every kind."""

from __future__ import annotations

import asyncio
import json
import math
import uuid
from typing import Any

import pytest

from wire.core.config import parse
from wire.core.errors import ConfigError, Finding
from wire.core.plugins import ComponentContext
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, PartitionId, Position
from wire.sources.generate import PLUGIN
from wire.sources.generate.source import GenerateReader, GenerateSource
from wire.testing.clock import VirtualClock

LIMIT = ReadLimit(700, 1 << 20)
FIELDS: dict[str, Any] = {
    "id": {"type": "sequence", "start": 5, "step": -2},
    "same": {"type": "sequence", "step": 0},
    "100% \"odd\"": "integer",
    "big": {"type": "integer", "min": -(1 << 60), "max": 1 << 60},
    "price": {"type": "number", "min": 10, "max": 20, "decimals": 2},
    "on": {"type": "boolean", "probability": 0.9},
    "city": {"type": "choice", "values": ["Zürich", 1, None, {"a": [1]}], "weights": [1, 2, 3, 4]},
    "text": {"type": "text", "length": 5},
    "none": {"type": "text", "length": 0},
    "uuid": "uuid",
    "fixed": {"type": "constant", "value": "line\nbreak"},
}  # fmt: skip


def source(*, bounded: bool = False, clock: VirtualClock | None = None, **config: Any) -> GenerateSource:
    findings: list[Finding] = []
    parsed = parse(PLUGIN.config, config, "$", findings)
    assert not findings, findings
    context = ComponentContext("test", "generate", bounded=bounded, clock=clock or VirtualClock())
    return GenerateSource(parsed, context)


async def opened(resume: Position | None = None, **config: Any) -> GenerateReader:
    return await source(**config).open(PartitionId("generate"), resume)


async def rest(reader: GenerateReader, limit: ReadLimit = LIMIT) -> list[Batch]:
    batches = []
    while (batch := await reader.read(limit)) is not None:
        batches.append(batch)
    return batches


def values(batches: list[Batch]) -> list[bytes]:
    return [record.value or b"" for batch in batches for record in batch.records]


async def test_every_kind_of_field() -> None:
    rows = [json.loads(value) for value in values(await rest(await opened(fields=FIELDS, count=3000)))]
    assert [row["id"] for row in rows[:3]] == [5, 3, 1]
    assert {row["same"] for row in rows} == {0}
    assert {row['100% "odd"'] for row in rows} == set(range(101))
    assert any(abs(row["big"]) > 1 << 55 for row in rows)
    assert all(10 <= row["price"] <= 20 and row["price"] == round(row["price"], 2) for row in rows)
    assert 2500 < sum(row["on"] for row in rows) < 2900
    assert {json.dumps(row["city"]) for row in rows} == {'"Z\\u00fcrich"', "1", "null", '{"a": [1]}'}
    assert all(len(row["text"]) == 5 and row["text"].isalpha() for row in rows)
    assert {row["none"] for row in rows} == {""}
    assert all(uuid.UUID(row["uuid"]).version == 4 for row in rows)
    assert len({row["uuid"] for row in rows}) == len(rows)
    assert {row["fixed"] for row in rows} == {"line\nbreak"}


async def test_the_same_seed_gives_the_same_records_after_any_restart() -> None:
    whole = await rest(await opened(fields=FIELDS, count=3000))
    again: list[Batch] = []
    while len(values(again)) < 3000:
        reader = await opened(again[-1].position if again else None, fields=FIELDS, count=3000)
        batch = await reader.read(ReadLimit(333, 1 << 20))
        assert batch is not None
        again.append(batch)
    assert values(again) == values(whole)
    assert [r.offset for b in again for r in b.records] == list(range(3000))
    assert values(await rest(await opened(fields=FIELDS, count=3000, seed=1))) != values(whole)


async def test_records_have_the_size_asked_for() -> None:
    sizes = {len(value) for value in values(await rest(await opened(count=2000, size="180B")))}
    assert sizes == {180}
    assert "padding" not in json.loads(values(await rest(await opened(count=1, size="1B")))[0])


async def test_limits_hold() -> None:
    for limit in (ReadLimit(3, 1 << 20), ReadLimit(1000, 300), ReadLimit(1000, 1)):
        batches = await rest(await opened(count=50), limit)
        assert len(values(batches)) == 50
        for batch in batches:
            assert len(batch.records) <= limit.max_records
            assert len(batch.records) == 1 or sum(map(len, values([batch]))) <= limit.max_bytes


async def test_a_rate_is_kept_in_small_even_portions() -> None:
    clock = VirtualClock(autojump=True)
    reader = await opened(rate=10_000, count=20_000, clock=clock)
    batches = await rest(reader)
    assert clock.monotonic() == pytest.approx(2, abs=0.01)
    assert max(len(batch.records) for batch in batches) <= 20
    times = [record.ts_ms for batch in batches for record in batch.records]
    assert [time - times[0] for time in times] == [i // 10 for i in range(20_000)]
    assert json.loads(values(batches)[-1])["at"] == times[-1]


async def test_what_could_not_be_read_in_time_follows_at_once_with_the_time_it_was_due() -> None:
    clock = VirtualClock()
    reader = await opened(rate=100, clock=clock)
    first = await reader.read(LIMIT)
    await clock.advance(1)
    late = await reader.read(LIMIT)
    assert first is not None
    assert late is not None
    assert (len(first.records), len(late.records)) == (1, 100)
    assert late.records[0].ts_ms == first.records[0].ts_ms + 10


async def test_a_slow_rate_can_be_cancelled_and_loses_nothing() -> None:
    clock = VirtualClock()
    reader = await opened(rate=0.5, clock=clock)
    assert len((await reader.read(LIMIT)).records) == 1  # type: ignore[union-attr]
    reading = asyncio.get_running_loop().create_task(_read(reader))
    await clock.advance(1)
    reading.cancel()
    await asyncio.wait([reading])
    reading = asyncio.get_running_loop().create_task(_read(reader))
    await clock.advance(1.5)
    batch = await reading
    assert batch is not None
    assert [record.offset for record in batch.records] == [1]


async def _read(reader: GenerateReader) -> Batch | None:
    return await reader.read(LIMIT)


async def test_no_end_can_not_be_run_to() -> None:
    with pytest.raises(ConfigError) as caught:
        await source(bounded=True).partitions()
    assert caught.value.code == "source.generate.endless"
    assert await source(bounded=True, count=0).partitions() == ["generate"]
    assert await rest(await opened(count=0)) == []


async def test_lag_is_what_is_left() -> None:
    reader = await opened(count=10)
    await reader.read(ReadLimit(4, 1 << 20))
    assert reader.lag() == Lag(records=6)
    assert (await opened()).lag() == Lag()


def test_the_fingerprint_is_what_is_made_not_how_much() -> None:
    one = source().fingerprint()
    assert one == source(count=5, rate=1).fingerprint()
    assert one != source(seed=1).fingerprint()
    assert one != source(fields={"a": "uuid"}).fingerprint()


@pytest.mark.parametrize(
    "config",
    [
        {"fields": {}},
        {"rate": 0},
        {"rate": math.inf},
        {"fields": {"a": {"type": "constant", "value": [math.nan]}}},
        {"fields": {"a": {"type": "choice", "values": [1, math.inf]}}},
        {"count": -1},
        {"fields": {"a": {"type": "integer", "min": 2, "max": 1}}},
        {"fields": {"a": {"type": "number", "min": 2, "max": 1}}},
        {"fields": {"a": {"type": "choice", "values": []}}},
        {"fields": {"a": {"type": "choice", "values": [1], "weights": [1, 2]}}},
        {"fields": {"a": {"type": "choice", "values": [1], "weights": [0]}}},
        {"fields": {"a": "integr"}},
    ],
)
def test_what_makes_no_sense_is_found_before_anything_runs(config: dict[str, Any]) -> None:
    findings: list[Finding] = []
    assert parse(PLUGIN.config, config, "$", findings) is None
    assert findings
