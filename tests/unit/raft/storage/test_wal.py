"""The write-ahead log on a real disk, and what it does to its files."""

from __future__ import annotations

import os
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
from wire.core.errors import UnavailableError
from wire.raft.storage import records
from wire.raft.storage.errors import StorageError
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.ports import LogStore
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry, Vote

ME = b"cluster/member"


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


def opened(disk: SimulatedFiles, *, segment_bytes: int = 1000, compress: bool = False) -> WriteAheadLog:
    return WriteAheadLog(disk, ME, segment_bytes=segment_bytes, compress=compress)


def written(disk: SimulatedFiles, count: int, *, compress: bool = False) -> WriteAheadLog:
    """A log of entries of 100 bytes, one per sync: eight to a segment."""
    log = opened(disk, compress=compress)
    for index in range(1, count + 1):
        fill(log, index, index, size=100)
        log.sync()
    return log


def refusal(disk: SimulatedFiles) -> StorageError:
    with pytest.raises(StorageError) as found:
        opened(disk)
    return found.value


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


# bad input


def test_another_format_is_refused_by_name(disk: SimulatedFiles) -> None:
    written(disk, 3)
    (name,) = disk.names()
    data = disk.content(name)
    disk.put(name, data[:8] + (7).to_bytes(4, "little") + data[12:])
    found = refusal(disk)
    assert found.code == "raft.storage.version"
    assert found.message == f"/disk/{name} has format 7; this version of Wire reads and writes format 1"


def test_something_else_is_refused_by_name(disk: SimulatedFiles) -> None:
    disk.put("0000000000000001-00000000000000000001.wal", b"A letter to my mother, about the weather, and more.")
    found = refusal(disk)
    assert found.code == "raft.storage.damaged"
    assert "0000000000000001-00000000000000000001.wal is damaged at offset 0" in found.message


@pytest.mark.parametrize("size", [0, 10, 24, 60])
def test_a_file_cut_in_its_head_is_refused(disk: SimulatedFiles, size: int) -> None:
    written(disk, 3)
    (name,) = disk.names()
    disk.put(name, disk.content(name)[:size])
    assert refusal(disk).code == "raft.storage.damaged"


def test_a_missing_segment_is_refused(disk: SimulatedFiles) -> None:
    written(disk, 30)
    names = disk.names()
    disk.drop(names[1])
    found = refusal(disk)
    assert found.code == "raft.storage.damaged"
    assert found.message == f"segment 2 of the log is missing before /disk/{names[2]}"


def test_missing_oldest_segments_are_refused(disk: SimulatedFiles) -> None:
    written(disk, 30)
    names = disk.names()
    disk.drop(names[0])
    found = refusal(disk)
    assert names[1] in found.message
    assert "the segment before it, with entries from 1 on, is missing" in found.message


def test_a_missing_newest_segment_is_noticed_where_the_others_are_compressed(disk: SimulatedFiles) -> None:
    log = written(disk, 30, compress=True)
    while log.tidy():
        pass
    disk.drop(disk.names()[-1])
    assert "the one after it is missing" in refusal(disk).message


def test_a_segment_under_the_name_of_another_is_refused(disk: SimulatedFiles) -> None:
    written(disk, 30)
    first, second, *_ = disk.names()
    disk.put(second, disk.content(first))
    assert "it holds the segment 1, not the one its name says" in refusal(disk).message


def test_two_files_for_one_segment_are_refused(disk: SimulatedFiles) -> None:
    written(disk, 30)
    first, *_ = disk.names()
    disk.put(first[:17] + "00000000000000000009.wal", disk.content(first))
    assert "has the same number" in refusal(disk).message


def test_an_older_copy_of_a_segment_is_refused(disk: SimulatedFiles) -> None:
    """The whole of it is valid, and it is as long as it has to be: only it does not come to what the next one says."""
    with_log, other = disk, SimulatedFiles(Random(2))
    for files, vote in ((with_log, Vote(7)), (other, Vote(8))):
        log = opened(files)
        log.set_vote(vote)
        log.sync()
        for index in range(1, 20):
            fill(log, index, index, size=100)
            log.sync()
    first, second, *_ = with_log.names()
    with_log.put(first, other.content(first))
    assert f"/disk/{second} is damaged at offset 0: it does not go on where /disk/{first} ends" in refusal(disk).message


def test_a_record_copied_to_another_place_is_refused(disk: SimulatedFiles) -> None:
    written(disk, 5)
    (name,) = disk.names()
    data = disk.content(name)
    mark = data.rindex(records.MARK_TAG) - 8
    disk.put(name, data + data[mark:])
    found = refusal(disk)
    assert f"/disk/{name} is damaged at offset {len(data)}" in found.message


@pytest.mark.parametrize(
    ("kind", "payload", "what"),
    [
        (99, b"", "a record of kind 99 can't be read"),
        (int(records.Kind.VOTE), b"\xc1", "a record of kind 7 can't be read"),
        (int(records.Kind.BASE), b"short", "a record of kind 5 can't be read"),
        (int(records.Kind.BASE), records.PAIR.pack(99, 1), "Base behind entry 3"),
        (int(records.Kind.TRUNCATE), records.PAIR.pack(5, 1), "Truncate behind entry 3"),
        (int(records.Kind.ENTRY), records.PAIR.pack(9, 1), "Entry behind entry 3"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(
    disk: SimulatedFiles, kind: int, payload: bytes, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = written(disk, 3)
    body = len(payload).to_bytes(4, "little") + bytes([kind]) + payload
    monkeypatch.setattr(records, "_body", lambda change: body)
    log.set_vote(Vote(1))
    log.sync()
    found = refusal(disk)
    assert found.code == "raft.storage.damaged"
    assert what in found.message


def test_a_command_that_is_too_long_is_refused(disk: SimulatedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.raft.storage.held.MAX_COMMAND", 10)
    log = opened(disk)
    log.append(Entry(1, 1, bytes(10)))
    with pytest.raises(ValueError, match="entry 2 has 11 bytes, more than 10"):
        log.append(Entry(2, 1, bytes(11)))


def test_a_folder_that_can_not_be_read_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "0000000000000001-00000000000000000001.wal").symlink_to(folder / "nowhere")

    class Names(DiskFiles):
        def names(self) -> list[str]:
            return sorted(os.listdir(folder))

    with pytest.raises(StorageError, match=r"can't read .*\.wal: No such file") as found:
        WriteAheadLog(Names(folder), ME)
    assert found.value.code == "raft.storage.failed"
