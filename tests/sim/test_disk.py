"""The simulated disk does to files what a disk may do, and no more."""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random

import pytest

from tests.sim.disk import SECTOR, Crash, SimulatedFiles

OLD, NEW = b"o" * 700, b"n" * 3000


def disk_with(synced: bytes, seed: int = 1) -> SimulatedFiles:
    disk = SimulatedFiles(Random(seed))
    file = disk.create("a")
    file.append(synced)
    file.sync()
    disk.sync()
    return disk


def outcomes(prepare: Callable[[int], SimulatedFiles]) -> list[SimulatedFiles]:
    disks = [prepare(seed) for seed in range(200)]
    for disk in disks:
        disk.cut_power()
    return disks


def test_what_was_synced_survives_and_of_the_rest_any_part() -> None:
    def prepare(seed: int) -> SimulatedFiles:
        disk = disk_with(OLD, seed)
        disk.open("a").append(NEW)
        return disk

    found = {disk.content("a") for disk in outcomes(prepare)}
    assert all(content.startswith(OLD) and len(content) <= len(OLD + NEW) for content in found)
    assert {OLD, OLD + NEW} <= found
    assert any(content.rstrip(b"\0") != content for content in found)
    assert any(b"\0" * SECTOR + b"n" in content for content in found), "a later sector without an earlier one"


def test_a_truncation_is_there_or_not() -> None:
    def prepare(seed: int) -> SimulatedFiles:
        disk = disk_with(OLD, seed)
        disk.open("a").truncate(100)
        return disk

    assert {disk.content("a") for disk in outcomes(prepare)} == {OLD, OLD[:100]}


def test_names_are_as_they_were_or_as_they_are() -> None:
    def prepare(seed: int) -> SimulatedFiles:
        disk = disk_with(OLD, seed)
        disk.create("b")
        disk.rename("a", "c")
        disk.remove("b")
        return disk

    found = {tuple(disk.names()) for disk in outcomes(prepare)}
    assert found == {("a",), ("a", "b"), ("c",), ("b", "c")}


def test_a_killed_process_leaves_everything() -> None:
    disk = disk_with(OLD)
    disk.open("a").append(NEW)
    disk.create("b")
    disk.kill()
    assert disk.content("a") == OLD + NEW
    assert disk.names() == ["a", "b"]


def test_a_failed_sync_forgets_what_can_still_be_read() -> None:
    disk = disk_with(OLD)
    file = disk.open("a")
    file.append(NEW)
    disk.fail_sync_in = 1
    with pytest.raises(OSError, match="Input/output error"):
        file.sync()
    file.sync()
    assert disk.content("a") == OLD + NEW
    disk.cut_power()
    assert disk.content("a") != OLD + NEW


def test_a_full_disk_takes_a_part() -> None:
    disk = disk_with(OLD)
    disk.room = len(OLD) + 10
    file = disk.open("a")
    with pytest.raises(OSError, match="No space left") as found:
        file.append(NEW)
    assert found.value.errno == errno.ENOSPC
    assert disk.content("a") == OLD + NEW[:10]


def test_the_fuse_blows_before_and_after_an_effect() -> None:
    for fuse, there in ((1, False), (2, True)):
        disk = disk_with(OLD)
        disk.fuse = fuse
        file = disk.open("a")
        with pytest.raises(Crash):
            file.append(NEW)
        with pytest.raises(Crash):
            disk.names()
        disk.kill()
        assert (disk.content("a") == OLD + NEW) == there
        with pytest.raises(Crash):
            file.read(0, 1)
