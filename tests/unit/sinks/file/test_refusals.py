"""A disk that is full, a folder that can't be written: said clearly, and nothing torn or doubled."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import subprocess
import threading
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sinks.file.support import Pipeline, batch, content, finished, parts, unfinished
from wire.core.config import parse
from wire.core.errors import FatalError, FencedError, Finding, RetryableError, UnavailableError
from wire.core.records import Batch
from wire.sinks.file import PLUGIN
from wire.testing.clock import VirtualClock


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of one mebibyte, most of which `ballast` takes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    (folder / "ballast").write_bytes(b"x" * 700_000)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def ten_lines(turn: int) -> Batch:
    rng = random.Random(turn)
    return batch(*[rng.randbytes(4000).hex().encode() for _ in range(10)], paths=[f"f{i % 3}" for i in range(10)])


def lines_of(*turns: int) -> list[bytes]:
    return sorted(record.value or b"" for turn in turns for record in ten_lines(turn).records)


def lines_in(paths: list[Path]) -> list[bytes]:
    """Return all lines, each of which must be whole."""
    held = [content(path) for path in paths]
    assert all(not data or data.endswith(b"\n") for data in held)
    return sorted(line for data in held for line in data.splitlines())


async def refusal(action: Awaitable[object]) -> RetryableError | None:
    """Return how an action was refused for now, None if it was not."""
    try:
        await action
    except RetryableError as exc:
        return exc
    return None


KINDS: dict[str, dict[str, Any]] = {
    "single": {},
    "rotated": {"rotate": {"max_records": 20}},
    "computed": {"path": {"expr": "x"}, "max_open_files": 2},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_write_leaves_nothing_and_succeeds_when_there_is_room(disk: Path, kind: str) -> None:
    pipeline = Pipeline(**{"path": str(disk / "a"), "directory": str(disk), **KINDS[kind]})
    writer = await pipeline.open()
    turn = 0
    while (error := await refusal(writer.write([ten_lines(turn)]))) is None:
        turn += 1
    assert error.code == "sink.file.disk_full"
    assert turn > 2
    assert lines_in(parts(disk)) == lines_of(*range(turn))
    (disk / "ballast").unlink()
    await writer.write([ten_lines(turn)])
    await pipeline.checkpoint(writer)
    await writer.close()
    assert lines_in([disk / name for name in finished(disk)]) == lines_of(*range(turn + 1))
    assert unfinished(disk) == []


async def test_a_refused_commit_can_be_repeated(disk: Path) -> None:
    pipeline = Pipeline(path=str(disk / "a.gz"))
    writer = await pipeline.open()
    turn = 0
    await writer.write([ten_lines(turn)])
    while (error := await refusal(pipeline.checkpoint(writer))) is None:
        turn += 1
        await writer.write([ten_lines(turn)])
    assert error.code == "sink.file.disk_full"
    assert lines_in(parts(disk)) == lines_of(*range(turn))
    with pytest.raises(RetryableError):
        await pipeline.commit(writer)
    (disk / "ballast").unlink()
    await pipeline.checkpoint(writer)
    await writer.close()
    assert lines_in([disk / "a.gz"]) == lines_of(*range(turn + 1))


async def test_a_start_without_room_to_recover_can_be_repeated(disk: Path) -> None:
    pipeline = Pipeline(path=str(disk / "a"))
    crashed = await pipeline.open()
    for turn in range(3):
        await crashed.write([ten_lines(turn)])
    await pipeline.checkpoint(crashed)
    for _ in range(2):
        with pytest.raises(RetryableError) as caught:
            await pipeline.open()
        assert caught.value.code == "sink.file.disk_full"
    (disk / "ballast").unlink()
    await pipeline.run(ten_lines(3))
    assert lines_in([disk / "a"]) == lines_of(*range(4))
    await crashed.close()


async def test_a_disk_that_does_not_take_what_was_written_stops_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(path=str(tmp_path / "a"))
    writer = await pipeline.open()
    await writer.write([batch(b"1")])

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(FatalError) as caught:
            await pipeline.commit(writer)
    await writer.close()
    assert caught.value.code == "sink.file.sync_failed"
    assert not isinstance(caught.value, UnavailableError)


async def test_a_folder_in_a_file_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError) as caught:
        await Pipeline(path=str(tmp_path / "file" / "a")).open()
    assert caught.value.code == "sink.file.unwritable"


async def test_a_folder_that_can_not_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)  # root may write everything
    try:
        with pytest.raises(UnavailableError) as caught:
            await Pipeline(path=str(tmp_path / "locked" / "a")).open()
    finally:
        if was_root:
            os.seteuid(0)
    assert caught.value.code == "sink.file.unwritable"
    assert caught.value.exit_code == 3
    assert caught.value.hint


async def test_two_runs_that_write_one_path_do_not_lose_records_in_silence(tmp_path: Path) -> None:
    one, other = Pipeline(path=str(tmp_path / "a")), Pipeline(path=str(tmp_path / "a"))
    writer = await one.open()
    await writer.write([batch(b"1")])
    await one.checkpoint(writer)
    await other.run(batch(b"2"))
    await writer.write([batch(b"3")])
    with pytest.raises(FencedError) as fenced:
        await one.checkpoint(writer)
    assert fenced.value.code == "sink.file.fenced"
    await writer.close()
    with pytest.raises(FatalError) as caught:
        await one.open()
    assert caught.value.code == "sink.file.exists"
    (tmp_path / "a").rename(tmp_path / "b")
    await one.run(batch(b"3"))
    assert finished(tmp_path) == {"a": b"1\n3\n", "b": b"2\n"}


async def test_a_file_that_another_run_removed_before_its_first_commit_is_missed(tmp_path: Path) -> None:
    one, other = Pipeline(path=str(tmp_path / "a")), Pipeline(path=str(tmp_path / "a"))
    writers = [await one.open(), await other.open()]
    for writer in writers:
        await writer.write([batch(b"1")])
    with pytest.raises(FencedError):
        await one.checkpoint(writers[0])
    for writer in writers:
        await writer.close()


async def test_a_commit_that_is_cancelled_has_ended_before_anything_else_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(path=str(tmp_path / "a"))
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    real, release, ended = os.fsync, threading.Event(), False

    def slow(descriptor: int) -> None:
        nonlocal ended
        release.wait(30)
        real(descriptor)
        ended = True

    monkeypatch.setattr(os, "fsync", slow)
    committing = asyncio.get_running_loop().create_task(pipeline.commit(writer))
    await asyncio.sleep(0)
    committing.cancel()
    await asyncio.sleep(0)
    assert not committing.done()
    release.set()
    await asyncio.wait([committing])
    assert ended
    assert committing.cancelled()
    await writer.close()
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"a": b"2\n"}


async def test_an_old_file_that_can_not_be_finished_stops_the_pipeline(tmp_path: Path) -> None:
    clock = VirtualClock()
    pipeline = Pipeline(path=str(tmp_path / "a"), rotate={"max_age": "1m"}, clock=clock)
    writer = await pipeline.open()
    await writer.write([batch(b"1")])
    await pipeline.checkpoint(writer)
    (tmp_path / "a-000001").write_bytes(b"mine")
    await clock.advance(62)
    with pytest.raises(FatalError) as caught:
        await writer.write([batch(b"2")])
    assert caught.value.code == "sink.file.exists"
    with pytest.raises(FatalError):
        await writer.close()


async def test_file_systems_that_can_not_share_or_flush_folders_do_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    real = os.fsync

    def flush_files_only(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            refuse()
        real(descriptor)

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(os, "fsync", flush_files_only)
    pipeline = Pipeline(path=str(tmp_path / "out" / "a"))
    await pipeline.run(batch(b"1"))
    await pipeline.run(batch(b"2"))
    assert finished(tmp_path) == {"out/a": b"1\n2\n"}


async def test_a_folder_that_can_not_be_flushed_stops_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FatalError) as caught:
        await Pipeline(path=str(tmp_path / "out" / "a")).open()
    assert caught.value.code == "sink.file.sync_failed"


@pytest.mark.parametrize("config", [{"path": "caf\udce9"}, {"path": {"expr": "x"}, "directory": "caf\udce9"}])
def test_a_name_that_is_not_text_is_refused(config: dict[str, Any]) -> None:
    findings: list[Finding] = []
    parse(PLUGIN.config, config, "$", findings)
    (finding,) = findings
    assert finding.code == "config.invalid"
    finding.message.encode()
