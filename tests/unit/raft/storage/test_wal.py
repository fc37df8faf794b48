"""The write-ahead log on a real disk, and what it does to its files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.log_model import Content, content
from tests.unit.raft.storage.log_suite import A, LogStoreSuite, entries, fill
from tests.unit.raft.storage.wal_kit import ME, opened, written
from wire.core.errors import UnavailableError
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.ports import LogStore
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(params=[1 << 20, 4096], ids=["large segments", "small segments"])
def segment_bytes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def open_log(folder: Path, segment_bytes: int, request: pytest.FixtureRequest) -> Iterator[Callable[..., LogStore]]:
    opened: list[WriteAheadLog] = []

    def open_again(owner: bytes = ME) -> LogStore:
        for log in opened:
            while request.param and log.tidy():
                pass
            log.close()
        opened.clear()
        opened.append(WriteAheadLog(DiskFiles(folder), owner, segment_bytes=segment_bytes, compress=request.param))
        return opened[0]

    yield open_again
    for log in opened:
        log.close()


class TestWriteAheadLog(LogStoreSuite):
    """The suite, with segments so small that there are many and so large that there is one."""


@pytest.fixture
def disk() -> SimulatedFiles:
    return SimulatedFiles(Random(1))


# syncing


def test_a_sync_is_one_sync_of_the_disk(disk: SimulatedFiles) -> None:
    log = opened(disk, segment_bytes=1 << 20)
    fill(log, 1, 1)
    log.sync()
    before = disk.syncs
    fill(log, 2, 500)
    log.set_vote(A)
    log.sync()
    assert disk.syncs == before + 1


def test_nothing_is_written_before_the_sync(disk: SimulatedFiles) -> None:
    log = opened(disk)
    fill(log, 1, 100)
    log.set_vote(A)
    log.truncate(50)
    log.compact(20)
    log.reset(70, 2)
    assert disk.points == 0


def test_a_sync_of_nothing_does_not_touch_the_disk(disk: SimulatedFiles) -> None:
    log = written(disk, 3)
    before = disk.points
    log.sync()
    assert disk.points == before


def test_changes_made_while_a_sync_runs_are_for_the_next(folder: Path) -> None:
    log = WriteAheadLog(DiskFiles(folder), ME, segment_bytes=2000)
    fill(log, 1, 1)

    def sync_often() -> None:
        for _ in range(200):
            log.sync()

    syncing = Thread(target=sync_often)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        syncing.start()
        for index in range(2, 4000):
            log.append(Entry(index, index // 10, b"x"))
            if index % 10 == 9:
                log.truncate(index - 1)
                log.append(Entry(index - 1, index // 10, b"y"))
                log.append(Entry(index, index // 10, b"z"))
        syncing.join()
    finally:
        sys.setswitchinterval(switching)
    log.sync()
    expected = content(log)
    log.close()
    log = WriteAheadLog(DiskFiles(folder), ME)
    assert content(log) == expected
    log.close()


# segments


def test_names_of_segments_sort_as_they_were_written(disk: SimulatedFiles) -> None:
    written(disk, 40)
    names = [re.fullmatch(r"(\d{16})-(\d{20})\.wal", name) for name in disk.names()]
    assert [int(name[1]) for name in names if name] == list(range(1, len(names) + 1))
    firsts = [int(name[2]) for name in names if name]
    assert (firsts[0], firsts) == (1, sorted(firsts))
    assert content(opened(disk)) == Content((0, 0), tuple(entries(1, 40, size=100)))


def test_segments_below_the_base_are_dropped_one_by_one(disk: SimulatedFiles) -> None:
    log = written(disk, 60)
    log.compact(59)
    log.sync()
    counts = [len(disk.names())]
    while log.tidy():
        counts.append(len(disk.names()))
    assert counts == list(range(counts[0], 1, -1))  # that with entry 60 stays, and the one with the base
    assert content(opened(disk)) == Content((59, 1), tuple(entries(60, 60, size=100)))


def test_its_size_on_disk_is_that_of_its_segments_but_for_their_last_marks(disk: SimulatedFiles) -> None:
    log = written(disk, 60)
    all_of_it = sum(len(disk.content(name)) for name in disk.names())
    assert all_of_it * 0.95 < log.disk_bytes < all_of_it
    log.compact(59)
    log.sync()
    while log.tidy():
        pass
    assert log.disk_bytes < all_of_it / 10


def test_a_sync_drops_a_segment_as_well(disk: SimulatedFiles) -> None:
    log = written(disk, 30)
    log.compact(29)
    log.sync()
    before = disk.names()
    log.sync()
    assert disk.names() == before[1:]


def test_a_segment_with_an_entry_above_the_base_is_kept(disk: SimulatedFiles) -> None:
    log = written(disk, 30)
    log.compact(3)
    log.sync()
    before = disk.names()
    assert not log.tidy()
    assert disk.names() == before


def test_nothing_is_dropped_before_the_base_is_durable(disk: SimulatedFiles) -> None:
    log = written(disk, 30)
    log.compact(29)
    before = disk.names()
    assert not log.tidy()
    assert disk.names() == before


def test_the_vote_outlives_the_segment_it_was_written_to(disk: SimulatedFiles) -> None:
    log = opened(disk)
    log.set_vote(A)
    log.sync()
    first = disk.names()
    for index in range(1, 30):
        fill(log, index, index, size=100)
        log.sync()
    log.compact(29)
    log.sync()
    while log.tidy():
        pass
    assert not set(first) & set(disk.names())
    assert opened(disk).vote == A


def test_truncated_entries_do_not_keep_a_segment(disk: SimulatedFiles) -> None:
    log = written(disk, 30)
    log.truncate(3)
    log.sync()
    for index in range(3, 12):
        fill(log, index, index, term=2, size=100)
        log.sync()
    log.compact(2)
    log.sync()
    while log.tidy():
        pass
    assert len(disk.names()) < 4
    assert content(opened(disk)) == Content((2, 1), tuple(entries(3, 11, term=2, size=100)))


def test_a_reset_leaves_no_segment_behind(disk: SimulatedFiles) -> None:
    log = written(disk, 30)
    before = disk.names()
    log.reset(20, 3)
    log.sync()
    while log.tidy():
        pass
    assert not set(before) & set(disk.names())
    assert content(opened(disk)) == Content((20, 3))


def test_a_log_that_begins_in_the_middle_is_read(disk: SimulatedFiles) -> None:
    log = written(disk, 30)
    log.truncate(25)
    log.compact(20)
    log.sync()
    while log.tidy():
        pass
    log.truncate(22)
    fill(log, 22, 23, term=5)
    log.sync()
    assert content(opened(disk)) == Content((20, 1), (*entries(21, 21, size=100), *entries(22, 23, term=5)))


def test_a_compaction_begins_a_segment_early_so_that_the_old_one_can_go(disk: SimulatedFiles) -> None:
    log = opened(disk, segment_bytes=8000)
    fill(log, 1, 20, size=100)
    log.sync()
    fill(log, 21, 21)
    log.sync()
    assert len(disk.names()) == 1
    log.compact(21)
    log.sync()
    log.sync()
    (name,) = disk.names()
    assert len(disk.content(name)) < 300


def test_files_of_others_are_left_alone(disk: SimulatedFiles) -> None:
    disk.put("notes.txt", b"hello")
    written(disk, 3)
    opened(disk)
    assert disk.content("notes.txt") == b"hello"


def test_an_unfinished_segment_is_removed(disk: SimulatedFiles) -> None:
    written(disk, 3)
    disk.put("0000000000000002-00000000000000000004.wal.new", b"half a seg")
    disk.put("0000000000000001-00000000000000000001.wal.zst.new", b"half a seg")
    assert opened(disk).last == (3, 1)
    assert len(disk.names()) == 1


# compression


def test_segments_that_are_not_written_to_are_compressed(disk: SimulatedFiles) -> None:
    log = written(disk, 40, compress=True)
    before = sum(len(disk.content(name)) for name in disk.names())
    while log.tidy():
        pass
    assert [name[-4:] for name in disk.names()] == [".zst"] * (len(disk.names()) - 1) + [".wal"]
    assert sum(len(disk.content(name)) for name in disk.names()) < before
    assert content(opened(disk)) == Content((0, 0), tuple(entries(1, 40, size=100)))
    log = opened(disk, compress=True)
    assert not log.tidy()
    log.compact(40)
    log.sync()
    while log.tidy():
        pass
    assert content(opened(disk)) == Content((40, 1))


def test_a_large_segment_is_compressed_a_piece_at_a_time(disk: SimulatedFiles) -> None:
    log = opened(disk, segment_bytes=3 << 20, compress=True)
    for index in range(1, 6):
        log.append(Entry(index, 1, Random(index).randbytes(1 << 20)))
        log.sync()
    assert [log.tidy() for _ in range(4)] == [True, True, True, False]
    log.close()
    assert content(opened(disk)).last == (5, 1)


def test_a_segment_that_is_dropped_while_it_is_compressed_leaves_nothing(disk: SimulatedFiles) -> None:
    log = opened(disk, segment_bytes=2 << 20, compress=True)
    for index in range(1, 4):
        log.append(Entry(index, 1, Random(index).randbytes(1 << 20)))
        log.sync()
    assert log.tidy()
    assert any(name.endswith(".zst.new") for name in disk.names())
    log.compact(3)
    log.sync()
    while log.tidy():
        pass
    assert [name[-4:] for name in disk.names()] == [".wal"]


def test_of_a_segment_and_its_compressed_copy_one_is_kept(disk: SimulatedFiles) -> None:
    log = written(disk, 20, compress=True)
    (name, *_) = disk.names()
    plain = disk.content(name)
    while log.tidy():
        pass
    disk.put(name, plain)
    assert opened(disk).last == (20, 1)
    assert name in disk.names()
    assert name + ".zst" not in disk.names()


def test_closing_ends_a_compression(disk: SimulatedFiles) -> None:
    log = opened(disk, segment_bytes=2 << 20, compress=True)
    for index in range(1, 4):
        log.append(Entry(index, 1, Random(index).randbytes(1 << 20)))
        log.sync()
    log.tidy()
    log.close()
    assert [name[-4:] for name in disk.names()] == [".wal", ".wal"]


def test_compression_without_the_library_is_refused(disk: SimulatedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UnavailableError, match="zstandard"):
        opened(disk, compress=True)
