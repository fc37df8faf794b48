"""Whatever goes wrong at whatever moment: what was synced is there again, in order, and nothing made up."""

from __future__ import annotations

import contextlib
import errno
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.disk import Crash, SimulatedFile, SimulatedFiles
from tests.unit.raft.storage.log_model import change, content
from tests.unit.raft.storage.log_suite import A, entries, fill
from tests.unit.raft.storage.wal_run import Run, Stop, opened
from wire.raft.storage.errors import StorageError
from wire.raft.storage.records import MARK_SIZE
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry


def cut_power(disk: SimulatedFiles) -> None:
    disk.cut_power()


def kill(disk: SimulatedFiles) -> None:
    disk.kill()


STOPS = pytest.mark.parametrize("stop", [cut_power, kill])


def points(seed: int, steps: int) -> int:
    """How many persist points there are in a run."""
    run = Run(SimulatedFiles(Random(seed)))
    run.work(Random(seed), steps)
    return run.disk.points


@STOPS
@pytest.mark.parametrize("seed", range(4))
def test_after_a_crash_at_any_point_all_that_was_synced_is_there(seed: int, stop: Stop) -> None:
    for fuse in range(1, points(seed, 60) + 1):
        run = Run(SimulatedFiles(Random(seed)))
        run.disk.fuse = fuse
        with pytest.raises(Crash):
            run.work(Random(seed), 60)
        run.disk.random.seed(fuse)
        run.restart(stop)


@given(seed=st.integers(0, 2**32), fuses=st.lists(st.integers(1, 60), max_size=6), killed=st.booleans())
@settings(max_examples=150, deadline=None)
def test_crash_after_crash_nothing_that_was_synced_is_lost(seed: int, fuses: list[int], killed: bool) -> None:
    random = Random(seed)
    run = Run(SimulatedFiles(Random(seed)))
    for fuse in fuses:
        run.disk.fuse = fuse
        with contextlib.suppress(Crash):
            run.work(random, 60)
        (kill if killed else cut_power)(run.disk)
    run.restart(cut_power)


@STOPS
@pytest.mark.parametrize("seed", range(3))
def test_after_a_failed_sync_everything_is_refused_until_the_log_is_opened_anew(seed: int, stop: Stop) -> None:
    whole = Run(SimulatedFiles(Random(seed)))
    whole.work(Random(seed), 60)
    for failing in range(1, whole.disk.syncs + 1):
        run = Run(SimulatedFiles(Random(seed)))
        run.disk.fail_sync_in = failing
        with pytest.raises(StorageError, match="what is on the disk is not known") as found:
            run.work(Random(seed), 60)
        assert found.value.code == "raft.storage.failed"
        assert run.log is not None
        assert_refusing(run.log)
        run.disk.random.seed(failing)
        run.restart(stop)


def assert_refusing(log: WriteAheadLog) -> None:
    before = content(log)
    for refused in (
        log.sync,
        log.tidy,
        lambda: log.append(Entry(log.last[0] + 1, 1, b"")),
        lambda: log.truncate(1),
        lambda: log.set_vote(A),
        lambda: log.compact(1),
        lambda: log.reset(1, 1),
    ):
        with pytest.raises(StorageError, match="what is on the disk is not known"):
            refused()
    assert content(log) == before
    log.close()


@STOPS
@pytest.mark.parametrize("seed", range(3))
def test_on_a_full_disk_nothing_is_lost_and_the_log_goes_on_once_there_is_room(seed: int, stop: Stop) -> None:
    whole = Run(SimulatedFiles(Random(seed)))
    whole.work(Random(seed), 60)
    for room in range(0, sum(len(whole.disk.content(name)) for name in whole.disk.names()) + 500, 97):
        run = Run(SimulatedFiles(Random(seed), room=room))
        random = Random(seed)
        try:
            run.work(random, 60)
        except StorageError as exc:
            full = exc.code == "raft.storage.full"
        else:
            continue
        log = run.log
        assert full
        assert log is not None
        for _ in range(2):  # full it stays, whatever else happens
            if log.dirty:
                run.possible.append(change(log, run.possible[-1], random))
        run.disk.random.seed(room)
        if random.random() < 0.5:
            run.disk.room = None
            log.sync()
            del run.possible[:-1]
            assert not log.dirty
        else:
            stop(run.disk)
            run.disk.room = None
        run.restart(stop)


def test_a_full_disk_is_said_with_the_file_and_what_to_do() -> None:
    disk = SimulatedFiles(Random(1), room=500)
    log = opened(disk)
    fill(log, 1, 1)
    log.sync()
    (name,) = disk.names()
    fill(log, 2, 100)
    for _ in range(3):
        with pytest.raises(StorageError) as found:
            log.sync()
        assert found.value.code == "raft.storage.full"
        assert found.value.message.startswith("no room to write /disk/0000")
        assert found.value.hint == (
            "free space on its disk: a node that runs goes on by itself then; start the node again if it has ended"
        )
    assert log.dirty
    assert disk.names() == [name]
    disk.room = None
    log.sync()
    assert content(opened(disk)).entries == tuple(entries(1, 100))


def test_no_room_for_the_mark_behind_a_sync_is_no_failure() -> None:
    disk = SimulatedFiles(Random(1))
    log = opened(disk)
    fill(log, 1, 1)
    log.sync()
    (name,) = disk.names()
    fill(log, 2, 2)
    disk.room = len(disk.content(name)) + MARK_SIZE + 39 + MARK_SIZE // 2
    log.sync()
    assert not log.dirty
    disk.room = None
    fill(log, 3, 3)
    log.sync()
    disk.cut_power()
    assert content(opened(disk)).entries == tuple(entries(1, 3))


def test_a_write_that_can_not_even_be_taken_back_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def truncate(file: SimulatedFile, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    disk = SimulatedFiles(Random(1))
    log = opened(disk)
    fill(log, 1, 1)
    log.sync()
    fill(log, 2, 3, size=100)
    monkeypatch.setattr(SimulatedFile, "truncate", truncate)
    disk.room = len(disk.content(disk.names()[0])) + 200
    with pytest.raises(StorageError):
        log.sync()
    disk.room = None
    log.sync()
    fill(log, 4, 4, size=100)
    log.sync()
    assert content(opened(disk)).entries == (*entries(1, 1), *entries(2, 4, size=100))


class Faulty(SimulatedFiles):
    """A disk that refuses one kind of operation on files of one kind."""

    refuses = ""
    ending = ""

    def create(self, name: str) -> SimulatedFile:
        self.refuse("create", name)
        return super().create(name)

    def open(self, name: str) -> SimulatedFile:
        self.refuse("open", name)
        return super().open(name)

    def rename(self, old: str, new: str) -> None:
        self.refuse("rename", new)
        super().rename(old, new)

    def remove(self, name: str) -> None:
        self.refuse("remove", name)
        super().remove(name)

    def refuse(self, operation: str, name: str) -> None:
        if operation == self.refuses and name.endswith(self.ending):
            raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("operation", "ending", "message"),
    [
        ("create", ".wal.zst.new", r"can't create /disk/\d+-\d+\.wal\.zst"),
        ("open", ".wal", r"can't open /disk/\d+-\d+\.wal"),
        ("rename", ".zst", r"can't write /disk/\d+-\d+\.wal\.zst"),
        ("remove", ".wal", r"can't remove /disk/\d+-\d+\.wal"),
    ],
)
def test_what_the_disk_refuses_while_it_tidies_is_named(operation: str, ending: str, message: str) -> None:
    disk = Faulty(Random(3))
    log = opened(disk, segment_bytes=1000)
    for index in range(1, 20):
        fill(log, index, index, size=100)
        log.sync()
    before = content(log)
    disk.refuses, disk.ending = operation, ending
    with pytest.raises(StorageError, match=message) as found:
        log.tidy()
    assert found.value.code == "raft.storage.failed"
    with pytest.raises(StorageError, match=message):
        log.sync()
    disk.refuses = ""
    disk.cut_power()
    assert content(opened(disk)) == before


@pytest.mark.parametrize(("operation", "ending"), [("create", ".wal.new"), ("rename", ".wal"), ("remove", ".wal")])
def test_what_the_disk_refuses_while_it_syncs_is_named(operation: str, ending: str) -> None:
    disk = Faulty(Random(3))
    log = opened(disk, segment_bytes=1000)
    for index in range(1, 20):
        fill(log, index, index, size=100)
        log.sync()
    log.compact(18)
    log.sync()
    fill(log, 20, 30, size=100)
    log.sync()
    disk.refuses, disk.ending = operation, ending
    fill(log, 31, 31)
    with pytest.raises(StorageError, match=rf"can't {operation} /disk/\d+-\d+\.wal") as found:
        log.sync()
    assert found.value.code == "raft.storage.failed"
    assert log.dirty
    log.close()
    disk.refuses = ""
    disk.cut_power()
    assert opened(disk).last == (30, 1)
