"""Following files that grow, are rotated, truncated, removed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.file.support import offsets, opened, source, take, values
from wire.core.errors import RetryableError
from wire.sources.file import rotation
from wire.sources.file.reader import FileReader
from wire.sources.file.rotation import is_rotated_name, without_rotated


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def idle_until(reader: FileReader, happened: Callable[[], bool]) -> None:
    """Have the reader wait for more until something has happened; fail if it finds a record."""
    reading = asyncio.get_running_loop().create_task(take(reader, 1))
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.sleep(0.001)
            assert not reading.done()
    reading.cancel()
    await asyncio.wait([reading])


def looked(reader: FileReader, times: int = 3) -> Callable[[], bool]:
    """Return whether the reader has looked for more so many times since."""
    clock = reader._options.clock  # the clock moves only when the reader sleeps
    start = clock.monotonic()
    return lambda: clock.monotonic() - start >= 0.2 * times


async def test_lines_are_read_as_they_are_completed(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntw")
    async with opened(path, follow=True) as reader:
        assert values(await take(reader, 1)) == [b"one"]
        await idle_until(reader, looked(reader))
        append(path, b"o\nthree\n")
        batches = await take(reader, 2)
    assert (values(batches), offsets(batches)) == ([b"two", b"three"], [4, 8])


async def test_a_renamed_file_is_read_out_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        path.rename(tmp_path / "app.log.1")
        path.write_bytes(b"new\n")
        append(tmp_path / "app.log.1", b"late\nlast")  # its writer has not noticed yet
        batches = await take(reader, 3)
        assert values(batches) == [b"late", b"last", b"new"]
        assert offsets(batches) == [4, 9, 13]
        append(path, b"more\n")
        assert values(await take(reader, 1)) == [b"more"]


async def test_rotations_while_nobody_reads_are_caught_up_with(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        append(path, b"two\n")
        for generation in (b"three\n", b"four\n", b"five\n"):
            for number in (3, 2, 1):
                if (old := tmp_path / f"app.log.{number}").exists():
                    old.rename(tmp_path / f"app.log.{number + 1}")
            path.rename(tmp_path / "app.log.1")
            path.write_bytes(generation)
        assert values(await take(reader, 4)) == [b"two", b"three", b"four", b"five"]


async def test_copy_and_truncate_loses_nothing_that_was_copied(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        await idle_until(reader, looked(reader))
        append(path, b"two\n")
        shutil.copy(path, tmp_path / "app.log.1")
        os.truncate(path, 0)
        append(path, b"three\n")
        batches = await take(reader, 2)
        assert values(batches) == [b"two", b"three"]
        assert offsets(batches) == [4, 8]


@pytest.mark.parametrize("after", [b"a\n", b"something longer than before\n"])
async def test_a_truncated_file_is_read_from_its_new_start(tmp_path: Path, after: bytes) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\npart")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        await idle_until(reader, looked(reader))
        path.write_bytes(after)
        assert values(await take(reader, 2)) == [b"part", after.strip()]


async def test_a_removed_file_is_let_go_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        append(path, b"two")
        path.unlink()
        assert values(await take(reader, 1)) == [b"two"]
        await idle_until(reader, looked(reader, 10))
        assert str(path) not in str([os.readlink(f"/proc/self/fd/{fd}") for fd in open_descriptors()])
        path.write_bytes(b"again\n")
        assert values(await take(reader, 1)) == [b"again"]


def open_descriptors() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{name}")]


async def test_new_files_show_up_as_partitions_and_rotated_ones_do_not(tmp_path: Path) -> None:
    follow, whole = source(tmp_path / "*", follow=True), source(tmp_path / "*")
    (tmp_path / "app.log").touch()
    assert len(await follow.partitions()) == 1
    for name in ("app.log.1", "app.log.2.gz", "app-20240131.log", "other.log"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in await follow.partitions()] == ["app.log", "other.log"]
    assert len(await whole.partitions()) == 5


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        ("app.log.1", True),
        ("app.log.12.gz", True),
        ("app-20240131.log", True),
        ("app-2024-01-31T10:00:00.log.zst", True),
        ("app_1.log", True),
        ("app.log", False),
        ("app.log.bak", False),
        ("app-audit.log", False),
        ("app2.log", False),
        ("app-1st.log", False),
    ],
)
def test_names_that_rotation_gives(name: str, rotated: bool) -> None:
    assert is_rotated_name(name, "app.log") == rotated
    assert without_rotated(["d/app.log", f"d/{name}"]) == (["d/app.log"] if rotated else ["d/app.log", f"d/{name}"])
    assert f"e/{name}" in without_rotated(["d/app.log", f"e/{name}"])


async def test_a_followed_file_reports_how_far_behind_it_is(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        assert reader.lag().bytes == 0
        append(path, b"two\n")
        assert reader.lag().bytes == 4


async def test_a_file_renamed_again_just_before_it_is_opened_is_looked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\n")
    async with opened(path, follow=True) as reader:
        await take(reader, 1)
        path.rename(tmp_path / "app.log.1")
        path.write_bytes(b"two\n")
        found = iter([str(tmp_path / "app.log.renamed")])
        after = rotation.after
        monkeypatch.setattr(rotation, "after", lambda *given: next(found, None) or after(*given))
        with pytest.raises(RetryableError) as caught:
            await take(reader, 1)
        assert caught.value.code == "source.file.not_found"
        assert values(await take(reader, 1)) == [b"two"]


async def test_a_rotated_file_removed_while_it_is_looked_at_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.log"
    for name in ("app.log.1", "app.log.2", "app.log.3"):
        (tmp_path / name).write_bytes(name.encode())
    stat = os.stat
    with os.scandir(tmp_path) as entries:
        first = next(entry.path for entry in entries)

    def gone(name: Any, **options: Any) -> os.stat_result:
        if name == first:
            raise FileNotFoundError(name)
        return stat(name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", gone)
        found = rotation.siblings(str(path))
    assert len(found) == 2
