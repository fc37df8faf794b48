"""The log in RocksDB: the suite of every LogStore, and what is its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rocksdict

from tests.unit.raft.storage.log_model import EVERYTHING, content
from tests.unit.raft.storage.log_suite import A, LogStoreSuite, entries, fill
from wire.core.errors import UnavailableError
from wire.raft.storage.errors import StorageError
from wire.raft.storage.ports import LogStore
from wire.raft.storage.rocksdb import RocksLog

ME = b"cluster/member"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def open_log(folder: Path) -> Iterator[Callable[..., LogStore]]:
    opened: list[RocksLog] = []

    def open_again(owner: bytes = ME) -> LogStore:
        for log in opened:
            log.close()
        opened.clear()
        opened.append(RocksLog(folder, owner))
        return opened[0]

    yield open_again
    for log in opened:
        log.close()


class TestRocksLog(LogStoreSuite):
    """The suite."""


def written(folder: Path) -> None:
    log = RocksLog(folder, ME)
    fill(log, 1, 20, size=100)
    log.set_vote(A)
    log.sync()
    fill(log, 21, 40, size=100)
    log.sync()
    log.close()


def stored(folder: Path) -> rocksdict.Rdict:
    return rocksdict.Rdict(str(folder), rocksdict.Options(raw_mode=True))


def killed(folder: Path) -> None:
    """What a process leaves that was killed: 50 entries and a vote synced, ten more not."""
    program = (
        "import os, pathlib, signal\n"
        "from tests.unit.raft.storage.log_suite import A, fill\n"
        "from wire.raft.storage.rocksdb import RocksLog\n"
        f"log = RocksLog(pathlib.Path({str(folder)!r}), {ME!r})\n"
        "for first in range(1, 50, 7):\n"
        "    fill(log, first, first + 6)\n"
        "    log.set_vote(A)\n"
        "    log.sync()\n"
        "fill(log, 50, 60)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL


def test_what_was_not_synced_is_lost_with_the_process(folder: Path) -> None:
    killed(folder)
    log = RocksLog(folder, ME)
    assert list(log.entries(1, EVERYTHING)) == entries(1, 49)
    assert log.vote == A
    log.close()


@pytest.mark.parametrize(("ends", "kind"), [(killed, "*.log"), (written, "*.sst")])
def test_a_damaged_byte_in_a_file_of_rocksdb_is_refused(folder: Path, ends: Callable[[Path], None], kind: str) -> None:
    ends(folder)
    path = max(folder.glob(kind), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError) as found:
        RocksLog(folder, ME)
    assert found.value.code == "raft.storage.damaged"
    assert found.value.message.startswith(f"{folder} is damaged: Corruption")


def test_a_value_that_does_not_match_its_checksum_is_refused(folder: Path) -> None:
    written(folder)
    db = stored(folder)
    key = b"e" + (7).to_bytes(8, "big")
    value = db.get(key)
    assert value is not None
    db.put(key, value[:-1] + b"!")
    db.close()
    with pytest.raises(StorageError, match="does not match its checksum") as found:
        RocksLog(folder, ME)
    assert found.value.code == "raft.storage.damaged"


@pytest.mark.parametrize(("index", "what"), [(7, "entry 8 follows entry 6"), (40, "its last entry is 39, not 40")])
def test_a_missing_entry_is_refused(folder: Path, index: int, what: str) -> None:
    written(folder)
    db = stored(folder)
    db.delete(b"e" + index.to_bytes(8, "big"))
    db.close()
    with pytest.raises(StorageError, match=what):
        RocksLog(folder, ME)


def test_another_format_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.raft.storage.rocksdb._VERSION", 2)
    written(folder)
    monkeypatch.undo()
    with pytest.raises(StorageError, match="has format 2; this version of Wire uses format 1") as found:
        RocksLog(folder, ME)
    assert found.value.code == "raft.storage.version"


def test_a_folder_in_use_is_refused(folder: Path) -> None:
    log = RocksLog(folder, ME)
    with pytest.raises(StorageError, match=f"can't open {folder}") as found:
        RocksLog(folder, ME)
    assert found.value.code == "raft.storage.failed"
    log.close()


def test_after_a_failed_sync_only_reads_are_answered(folder: Path) -> None:
    log = RocksLog(folder, ME)
    fill(log, 1, 3)
    log._db.close()  # the one way to have RocksDB refuse without a broken disk
    for _ in range(2):
        with pytest.raises(StorageError, match="can't write") as found:
            log.sync()
        assert found.value.code == "raft.storage.failed"
    with pytest.raises(StorageError, match="can't write"):
        fill(log, 4, 4)
    assert log.dirty
    assert content(log).entries == tuple(entries(1, 3))


def test_without_the_package_it_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rocksdict", None)
    with pytest.raises(UnavailableError, match="rocksdict"):
        RocksLog(folder, ME)
