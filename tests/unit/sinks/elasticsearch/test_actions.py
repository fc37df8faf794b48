"""Lines of a bulk request: built of the bytes there are, one action for every record that can be one."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wire.core.clock import SystemClock
from wire.core.config import ByRecord, Expression
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.elasticsearch import ElasticsearchSinkConfig
from wire.sinks.elasticsearch.actions import Action, Actions, Indices, Misfit
from wire.testing.clock import VirtualClock

KEY = Expression("meta_key()")


def actions(
    values: list[bytes | None], generation: int = 0, offset: int = 0, **config: Any
) -> tuple[list[Action], list[Misfit]]:
    columns = {name: config.pop(f"{name}s") for name in ("id", "index", "op", "version") if f"{name}s" in config}
    parsed = ElasticsearchSinkConfig(**{"url": "http://localhost:9200", "index": "i", **config})
    records = [Record(value, b"k", 5, (), n) for n, value in enumerate(values, offset)]
    batch = Batch(PartitionId("t/0"), Position(b""), records, columns=columns, source="s")
    return Actions(parsed, SystemClock(), generation).of([batch])


def lines(action: Action) -> list[Any]:
    return [json.loads(line) for line in action.lines.splitlines()]


def test_each_operation_has_its_lines() -> None:
    ops = ["index", "create", "update", "delete"]
    made, misfits = actions([b'{"a":1}'] * 4, op=ByRecord(expr=Expression("o")), id=KEY, ids=["x"] * 4, ops=ops)
    assert not misfits
    version = {"_id": "x", "version_type": "external_gte"}
    assert [lines(action) for action in made] == [
        [{"index": {**version, "version": 0}}, {"a": 1}],
        [{"create": {"_id": "x"}}, {"a": 1}],
        [{"update": {"_id": "x", "retry_on_conflict": 3}}, {"doc": {"a": 1}, "doc_as_upsert": True}],
        [{"delete": {**version, "version": 3}}],
    ]


def test_a_computed_index_is_in_the_line() -> None:
    ((made,), _) = actions([b"{}"], index=ByRecord(expr=Expression("i")), indexs=['a"b'])
    assert lines(made)[0] == {"index": {"_id": "s/t/0/0", "_index": 'a"b'}}


def test_the_generation_is_the_high_part_of_a_place_but_not_of_a_clock() -> None:
    clock = 1_700_000_000 << 32
    for offset, expected in ((7, 2 << 48 | 7), ((1 << 48) - 1, 3 * (1 << 48) - 1), (clock, clock)):
        ((made,), _) = actions([b"{}"], generation=2, offset=offset, id=KEY, ids=["x"])
        assert made.version == expected


def test_versions_of_every_kind() -> None:
    at = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
    values = [
        5,
        5.0,
        Decimal(5),
        at,
        at.replace(tzinfo=None),
        5.5,
        True,
        "5",
        None,
        float("inf"),
        float("nan"),
        Decimal("inf"),
        -1,
    ]
    made, misfits = actions(
        [b"{}"] * len(values), id=KEY, version=Expression("v"), ids=["x"] * len(values), versions=values
    )
    assert [action.version for action in made] == [5, 5, 5, 1714564800000, 1714564800000]
    assert [place for place, _ in misfits] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert {error.code for _, error in misfits} == {"sink.elasticsearch.invalid_version"}


def test_a_record_without_the_key_that_is_its_id_is_told_what_to_do() -> None:
    _, ((_, error),) = actions([b"{}"], id=KEY, ids=[None])
    assert (error.code, "leave `id` out" in (error.hint or "")) == ("sink.elasticsearch.no_id", True)


def test_a_tombstone_deletes_whatever_the_operation() -> None:
    for op in ("index", "update", "delete"):
        ((made,), misfits) = actions([None], id=KEY, ids=["x"], op=op)
        assert (made.op, misfits) == ("delete", [])
    made_none, ((_, error),) = actions([None])
    assert (made_none, error.code) == ([], "sink.elasticsearch.tombstone")


async def test_indices_not_written_to_for_an_hour_make_room() -> None:
    clock = VirtualClock()
    indices = Indices(2, clock)
    assert indices.admit("a")
    await clock.advance(1800)
    assert indices.admit("b")
    assert not indices.admit("c")
    await clock.advance(1800)
    assert indices.admit("c")
    assert not indices.admit("a")
    assert indices.admit("b")


objects = st.dictionaries(
    st.text(max_size=3) | st.just("@timestamp"), st.none() | st.integers() | st.text() | st.lists(st.integers())
)


@given(objects, st.sampled_from([None, 0, 2, "\n"]), st.booleans())
def test_any_object_stays_what_it_is_however_it_is_spaced(
    value: dict[str, Any], indent: Any, data_stream: bool
) -> None:
    raw = json.dumps(value, indent=indent).encode()
    ((made,), misfits) = actions([raw], data_stream=data_stream)
    assert not misfits
    assert made.lines.count(b"\n") == 2
    _, written = lines(made)
    assert written == ({"@timestamp": 5} if data_stream else {}) | value


@given(st.binary(max_size=20))
def test_no_bytes_make_more_lines_than_one(value: bytes) -> None:
    made, misfits = actions([value, b"{" + value + b"}"])
    assert len(made) + len(misfits) == 2
    assert all(action.lines.count(b"\n") == 2 for action in made)


@given(
    st.text(st.characters(exclude_categories=[]), max_size=3),
    st.lists(st.tuples(st.binary(max_size=4), st.integers(0, 9)) | st.none()),
)
def test_the_lines_of_a_plain_write_are_those_of_its_actions(
    partition: str, values: list[tuple[bytes, int] | None]
) -> None:
    records = [
        Record(each and b"{" * (each[1] < 9) + each[0], None, 5, (), offset=n, ordinal=(each or b"x")[-1] == 8)
        for n, each in enumerate(values)
    ]
    config = ElasticsearchSinkConfig(url="http://localhost:9200", index="i", op="create")
    batches = [
        Batch(PartitionId(partition), Position(b""), part, source="100%") for part in (records[:2], records[2:], [])
    ]
    made = Actions(config, SystemClock(), 0)
    found, misfits = made.of(batches)
    plain = made.plain(batches)
    closer = [
        each for each in records if each.ordinal or not each.value or each.value[:1] != b"{" or b"\n" in each.value
    ]
    if plain is not None:
        assert plain == b"".join([each.lines for each in found])
        assert not misfits
        assert not closer
    else:
        assert closer or not partition.isprintable()
