"""A position is good for the content it was taken from, under whatever name that is found."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from tests.unit.sources.file.support import offsets, opened, rest, take, values
from wire.core.errors import FatalError, UnavailableError
from wire.core.records import Position


def lines(*names: str) -> bytes:
    return "".join(f'{{"name":"{name}"}}\n' for name in names).encode()


def named(found: list[bytes | None]) -> list[str]:
    return [(value or b"")[9:-2].decode() for value in found]


async def read_two(path: Path) -> Position:
    """Write a file of three records, and return the position after two of them."""
    path.write_bytes(lines("a1", "a2", "a3"))
    async with opened(path) as reader:
        return (await take(reader, 2))[-1].position


async def resumed(path: Path, position: Position, *, follow: bool = False) -> list[str]:
    async with opened(path, position, follow=follow) as reader:
        return named(values(await rest(reader)))


async def test_positions_are_small(tmp_path: Path) -> None:
    assert len(await read_two(tmp_path / "app.log")) < 40


async def test_what_was_appended_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    with path.open("ab") as file:
        file.write(lines("a4"))
    assert await resumed(path, position) == ["a3", "a4"]


async def test_a_copy_by_the_same_name_is_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    shutil.copy(path, tmp_path / "copy")
    os.replace(tmp_path / "copy", path)
    assert await resumed(path, position) == ["a3"]


async def test_other_content_in_its_place_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.write_bytes(lines("b1", "b2", "b3"))
    async with opened(path, position) as reader:
        batches = await rest(reader)
    assert named(values(batches)) == ["b1", "b2", "b3"]
    assert offsets(batches)[0] == 2 * len(lines("a1"))  # offsets go on rising


async def test_a_file_cut_back_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.write_bytes(lines("a1"))
    assert await resumed(path, position) == ["a1"]


async def test_the_same_start_with_another_row_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.write_bytes(lines("a1", "xx", "a3"))
    assert await resumed(path, position) == ["a1", "xx", "a3"]


async def test_long_files_are_told_apart_by_their_last_row_too(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    banner = lines("banner" * 100)
    path.write_bytes(banner + lines("a1", "a2"))
    async with opened(path) as reader:
        position = (await take(reader, 2))[-1].position
    path.write_bytes(banner + lines("b1", "b2"))
    assert await resumed(path, position) == ["banner" * 100, "b1", "b2"]


@pytest.mark.parametrize("name", ["app.log.1", "app-20240131.log", "app.log-2024-01-31T10:00", "app.1.log"])
async def test_what_was_rotated_away_meanwhile_is_read_first(tmp_path: Path, name: str) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.rename(tmp_path / name)
    path.write_bytes(lines("b1"))
    assert await resumed(path, position) == ["a3", "b1"]


async def test_several_rotations_are_caught_up_with_in_order(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    (tmp_path / "app.log.4").write_bytes(lines("old"))
    os.utime(tmp_path / "app.log.4", ns=(0, 0))
    position = await read_two(path)
    path.rename(tmp_path / "app.log.3")
    (tmp_path / "app.log.2").write_bytes(lines("b1", "b2"))
    (tmp_path / "app.log.1").write_bytes(lines("c1"))
    for age, number in enumerate((3, 2, 1), 1):
        os.utime(tmp_path / f"app.log.{number}", (1e9 + age, 1e9 + age))
    path.write_bytes(lines("d1"))
    assert await resumed(path, position) == ["a3", "b1", "b2", "c1", "d1"]


async def test_a_position_in_a_rotated_file_goes_on_from_there(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(lines("b1", "b2"))
    async with opened(path, position) as reader:
        (a3,), (b1,) = await take(reader, 1), await take(reader, 1)
    assert offsets([a3, b1]) == [2 * len(lines("a1")), 3 * len(lines("a1"))]
    assert await resumed(path, a3.position) == ["b1", "b2"]
    assert await resumed(path, b1.position) == ["b2"]


async def test_a_copy_made_before_truncating_is_read_first(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    shutil.copy(path, tmp_path / "app.log.1")
    path.write_bytes(lines("b1"))
    assert await resumed(path, position) == ["a3", "b1"]


async def test_a_rotated_file_that_was_compressed_is_read_first(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.write_bytes(lines("b1"))
    assert await resumed(path, position) == ["a3", "b1"]


async def test_a_rotated_file_without_a_new_one_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.rename(tmp_path / "app.log.1")
    assert await resumed(path, position) == ["a3"]


async def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    position = await read_two(path)
    path.unlink()
    with pytest.raises(UnavailableError) as caught:
        await resumed(path, position)
    assert caught.value.code == "source.file.not_found"


async def test_a_position_of_another_source_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(lines("a1"))
    with pytest.raises(FatalError) as caught:
        await resumed(path, Position(b"\x00"))
    assert caught.value.code == "source.file.position_invalid"
