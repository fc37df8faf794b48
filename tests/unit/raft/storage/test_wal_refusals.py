"""What a write-ahead log refuses to be opened on: other formats, what is missing or out of place."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.log_suite import fill
from tests.unit.raft.storage.wal_kit import ME, opened, refusal, written
from wire.raft.storage import records
from wire.raft.storage.errors import StorageError
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry, Vote


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def disk() -> SimulatedFiles:
    return SimulatedFiles(Random(1))


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
