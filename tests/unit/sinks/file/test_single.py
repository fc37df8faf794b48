"""One literal path without rotation is one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sinks.file.support import Pipeline, batch, finished, parts, unfinished
from wire.core.errors import FatalError


def at(tmp_path: Path) -> str:
    return str(tmp_path / "out" / "a.jsonl")


async def test_the_file_appears_when_the_run_ends_and_nothing_else_stays(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    writer = await pipeline.open()
    await writer.write([batch(b"1"), batch(), batch(b"2")])
    await pipeline.checkpoint(writer)
    assert finished(tmp_path) == {}
    (part,) = parts(tmp_path)
    assert part.name.startswith("a.jsonl.")
    assert part.read_bytes() == b"1\n2\n"  # to be watched while it grows
    await writer.close()
    await writer.close()
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n2\n"}
    assert unfinished(tmp_path) == []


async def test_a_later_run_adds_to_the_file_which_is_whole_all_the_time(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    await pipeline.run(batch(b"1"))
    await pipeline.run()
    writer = await pipeline.open()
    await writer.write([batch(b"2")])
    await pipeline.checkpoint(writer)
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n"}
    await writer.close()
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n2\n"}
    assert unfinished(tmp_path) == []


async def test_what_was_not_committed_is_gone_after_a_close(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    await pipeline.checkpoint(writer)
    await writer.write([batch(b"2")])
    await writer.close()
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n"}


async def test_after_a_commit_of_unknown_fate_nothing_is_published_until_the_next_start(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    await pipeline.commit(writer)
    await writer.close()
    assert finished(tmp_path) == {}
    await (await pipeline.open()).close()
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n"}
    assert unfinished(tmp_path) == []


async def test_a_start_after_a_crash_cuts_back_to_what_was_committed(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    crashed = await pipeline.open()
    await crashed.write([batch(b"1")])
    await pipeline.checkpoint(crashed)
    await crashed.write([batch(b"lost")])
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n2\n"}
    await crashed.write([batch(b"a thawed process goes on")])
    await crashed.close()
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n2\n"}
    assert unfinished(tmp_path) == []


async def test_a_run_in_which_everything_is_filtered_leaves_an_empty_file(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    await pipeline.run()
    assert finished(tmp_path) == {"out/a.jsonl": b""}
    await pipeline.run(batch(b"1"))
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n"}


async def test_a_run_that_commits_nothing_leaves_nothing_in_the_way_of_the_next(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    await writer.close()
    assert (finished(tmp_path), unfinished(tmp_path)) == ({}, [])
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"out/a.jsonl": b"2\n"}


async def test_a_file_that_was_there_before_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"mine\n")
    with pytest.raises(FatalError) as caught:
        await Pipeline(path=str(path)).open()
    assert caught.value.code == "sink.file.exists"
    assert caught.value.hint
    assert (finished(tmp_path), unfinished(tmp_path)) == ({"a.jsonl": b"mine\n"}, [])


async def test_a_file_that_comes_in_between_is_not_touched_and_no_record_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    pipeline = Pipeline(path=str(path))
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    await pipeline.checkpoint(writer)
    path.write_bytes(b"mine\n")
    with pytest.raises(FatalError) as caught:
        await writer.close()
    assert caught.value.code == "sink.file.exists"
    with pytest.raises(FatalError):
        await pipeline.open()
    path.rename(tmp_path / "moved")
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"a.jsonl": b"1\n2\n", "moved": b"mine\n"}


async def test_a_file_that_was_taken_away_between_runs_is_begun_anew(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    await pipeline.run(batch(b"1"))
    Path(at(tmp_path)).unlink()
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"out/a.jsonl": b"2\n"}


async def test_a_changed_path_leaves_the_old_file_finished(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    crashed = await pipeline.open()
    await crashed.write([batch(b"1")])
    await pipeline.checkpoint(crashed)
    pipeline.config["path"] = str(tmp_path / "b.jsonl")
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"out/a.jsonl": b"1\n", "b.jsonl": b"2\n"}


async def test_a_part_that_lost_committed_bytes_is_noticed(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    crashed = await pipeline.open()
    await crashed.write([batch(b"1")])
    await pipeline.checkpoint(crashed)
    parts(tmp_path)[0].write_bytes(b"")
    with pytest.raises(FatalError) as caught:
        await pipeline.open()
    assert caught.value.code == "sink.file.segment_damaged"


async def test_tasks_of_one_pipeline_have_files_of_their_own(tmp_path: Path) -> None:
    first, second = Pipeline(path=at(tmp_path)), Pipeline(path=at(tmp_path), slot=1)
    writers = [await first.open(), await second.open()]
    for number, (pipeline, writer) in enumerate(zip((first, second), writers, strict=True)):
        await writer.write([batch(b"%d" % number)])
        await pipeline.checkpoint(writer)
        await writer.close()
    assert finished(tmp_path) == {"out/a.jsonl": b"0\n", "out/a-s1.jsonl": b"1\n"}


async def test_a_reset_pipeline_is_not_stopped_by_its_own_parts(tmp_path: Path) -> None:
    await (await Pipeline(path=at(tmp_path)).open()).write([batch(b"1")])
    await Pipeline(path=at(tmp_path)).run(batch(b"2"))
    assert finished(tmp_path) == {"out/a.jsonl": b"2\n"}
    assert unfinished(tmp_path) == []


async def test_a_token_of_another_sink_is_refused(tmp_path: Path) -> None:
    pipeline = Pipeline(path=at(tmp_path))
    await pipeline.run(batch(b"1"))
    assert pipeline.stored is not None
    pipeline.stored = type(pipeline.stored)(
        generation=0, seq=1, position=pipeline.stored.position, source=pipeline.stored.source, sink=b"other"
    )
    with pytest.raises(FatalError) as caught:
        await pipeline.open()
    assert caught.value.code == "sink.file.token_invalid"
