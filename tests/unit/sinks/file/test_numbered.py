"""With rotation or computed paths the output is a set of numbered files that never change once they are finished."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sinks.file.support import Pipeline, batch, finished, parts, unfinished
from wire.core.errors import FatalError, RecordError
from wire.testing.clock import VirtualClock


def rotated(tmp_path: Path, **rotate: Any) -> Pipeline:
    return Pipeline(path=str(tmp_path / "a.jsonl"), rotate=rotate)


def computed(tmp_path: Path, **config: Any) -> Pipeline:
    return Pipeline(path={"expr": "x"}, directory=str(tmp_path), **config)


@pytest.mark.parametrize("rotate", [{"max_records": 2}, {"max_size": "4B"}])
async def test_a_file_ends_with_the_write_that_fills_it(tmp_path: Path, rotate: dict[str, Any]) -> None:
    pipeline = rotated(tmp_path, **rotate)
    writer = await pipeline.open()
    for value in (b"1", b"2", b"3"):
        await writer.write([batch(value)])
    assert finished(tmp_path) == {}
    await pipeline.checkpoint(writer)
    assert finished(tmp_path) == {"a-000001.jsonl": b"1\n2\n"}
    await writer.write([batch(b"4", b"5", b"6")])
    await pipeline.checkpoint(writer)
    assert finished(tmp_path) == {"a-000001.jsonl": b"1\n2\n", "a-000002.jsonl": b"3\n4\n5\n6\n"}
    await writer.close()
    assert unfinished(tmp_path) == []


async def test_a_file_of_age_is_finished_though_nothing_more_comes(tmp_path: Path) -> None:
    clock = VirtualClock()
    pipeline = Pipeline(path=str(tmp_path / "a.jsonl"), rotate={"max_age": "1m"}, clock=clock)
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    await clock.advance(30)
    await pipeline.checkpoint(writer)
    await clock.advance(29)
    assert finished(tmp_path) == {}
    await clock.advance(3)
    assert finished(tmp_path) == {"a-000001.jsonl": b"1\n"}
    await writer.write([batch(b"2")])
    await clock.advance(62)
    assert len(finished(tmp_path)) == 1  # not committed yet
    await writer.write([batch(b"3")])
    await pipeline.checkpoint(writer)
    assert finished(tmp_path) == {"a-000001.jsonl": b"1\n", "a-000002.jsonl": b"2\n"}
    await writer.close()
    assert finished(tmp_path)["a-000003.jsonl"] == b"3\n"


async def test_a_restart_begins_a_new_file_and_leaves_finished_ones_to_their_users(tmp_path: Path) -> None:
    pipeline = rotated(tmp_path, max_records=10)
    await pipeline.run(batch(b"1"))
    (tmp_path / "a-000001.jsonl").unlink()
    await pipeline.run()
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"a-000002.jsonl": b"2\n"}


async def test_a_crash_finishes_the_committed_part_of_each_file(tmp_path: Path) -> None:
    pipeline = rotated(tmp_path, max_records=2)
    crashed = await pipeline.open()
    for values in ((b"1", b"2"), (b"3",)):
        await crashed.write([batch(*values)])
    await pipeline.commit(crashed)  # not told that it was stored
    await crashed.write([batch(b"lost")])
    await pipeline.run(batch(b"4"))
    assert list(finished(tmp_path).values()) == [b"1\n2\n", b"3\n", b"4\n"]
    await crashed.close()
    assert list(finished(tmp_path).values()) == [b"1\n2\n", b"3\n", b"4\n"]
    assert unfinished(tmp_path) == []


async def test_a_numbered_file_that_is_there_already_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a-000001.jsonl").write_bytes(b"mine\n")
    with pytest.raises(FatalError) as caught:
        await rotated(tmp_path, max_records=1).open()
    assert caught.value.code == "sink.file.exists"
    (tmp_path / "x-000001").write_bytes(b"mine\n")
    with pytest.raises(FatalError) as caught:
        await (await computed(tmp_path).open()).write([batch(b"1", paths=["x"])])
    assert caught.value.code == "sink.file.exists"
    assert set(finished(tmp_path).values()) == {b"mine\n"}


async def test_records_go_to_the_paths_computed_for_them(tmp_path: Path) -> None:
    pipeline = computed(tmp_path)
    await pipeline.run(batch(b"1", b"2", b"3", paths=["UA.jsonl", "by/day.v2.csv.gz", "UA.jsonl"]))
    assert finished(tmp_path) == {"UA-000001.jsonl": b"1\n3\n", "by/day.v2-000002.csv.gz": b"2\n"}
    assert (tmp_path / "by/day.v2-000002.csv.gz").read_bytes().startswith(b"\x1f\x8b")


def descriptors(folder: Path) -> int:
    links = []
    for name in os.listdir("/proc/self/fd"):
        if os.path.islink(f"/proc/self/fd/{name}"):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith(str(folder)) for link in links)


async def test_few_files_are_open_however_many_paths_there_are(tmp_path: Path) -> None:
    pipeline = computed(tmp_path, max_open_files=3)
    writer = await pipeline.open()
    for turn in range(2):
        for number in range(10):
            await writer.write([batch(b"%d.%d" % (turn, number), paths=[f"f{number}"])])
            assert descriptors(tmp_path) <= 3
        await pipeline.checkpoint(writer)
        assert len(parts(tmp_path)) == 3
    await writer.close()
    held = finished(tmp_path)
    assert sorted(held.values()) == sorted(b"%d.%d\n" % (turn, number) for turn in range(2) for number in range(10))
    assert "f0-000001" in held
    assert "f0-000011" in held


@pytest.mark.parametrize(
    "path",
    [None, "", ".", "/etc/passwd", "../x", "a/../../x", "a/..", "a\0b", "a/", "x" * 300, "file/below", "caf\udce9"],
)
async def test_a_path_that_leads_elsewhere_fails_its_record_alone(tmp_path: Path, path: object) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"mine\n")
    pipeline = computed(tmp_path / "in")
    (failure,) = await pipeline.run(batch(b"1", b"2", b"3", paths=["ok", path, "ok"]))
    assert isinstance(failure.error, RecordError)
    assert (failure.batch, failure.record, failure.error.code) == (0, 1, "sink.file.path_refused")
    assert finished(tmp_path) == {"in/file": b"mine\n", "in/ok-000001": b"1\n3\n"}


async def test_more_paths_than_a_checkpoint_can_hold_stop_the_pipeline(tmp_path: Path) -> None:
    writer = await computed(tmp_path).open()
    with pytest.raises(FatalError) as caught:
        await writer.write([batch(*[b"x"] * 1100, paths=range(1100))])
    assert caught.value.code == "sink.file.too_many_paths"
    await writer.close()
    assert (finished(tmp_path), unfinished(tmp_path)) == ({}, [])


async def test_an_unfinished_file_that_stayed_behind_is_removed_when_its_folder_is_used(tmp_path: Path) -> None:
    pipeline = computed(tmp_path)
    await (await pipeline.open()).write([batch(b"1", paths=["deep/a"])])
    await pipeline.run(batch(b"2", paths=["deep/b"]))
    assert finished(tmp_path) == {"deep/b-000001": b"2\n"}
    assert unfinished(tmp_path) == []


async def test_the_token_stays_small(tmp_path: Path) -> None:
    pipeline = rotated(tmp_path, max_records=1)
    writer = await pipeline.open()
    for number in range(50):
        await writer.write([batch(b"%d" % number)])
        await pipeline.checkpoint(writer)
    assert pipeline.stored is not None
    assert len(pipeline.stored.sink or b"") < 60 + 2 * len(str(tmp_path))
    await writer.close()
