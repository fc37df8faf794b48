"""What a crash, a full disk and a failing one leave, at every point where anything can come between."""

from __future__ import annotations

import contextlib
import errno
import functools
from collections.abc import Callable
from random import Random

import pytest

from tests.sim.disk import Crash, SimulatedFile, SimulatedFiles
from tests.unit.raft.storage.snapshot_support import CONFIGURATION, as_sent, deliver, opened, refused, written
from wire.raft.storage.errors import StorageError
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshot_files import SYNC_BYTES
from wire.raft.storage.snapshots import FileSnapshots

OLD, NEW = 4, 9
SEEDS = range(4)

Leave = Callable[[SimulatedFiles], None]
after_either = pytest.mark.parametrize("leave", [SimulatedFiles.kill, SimulatedFiles.cut_power])


def content(index: int) -> list[bytes]:
    """Return the chunks of the snapshot of that index; every third index has one that makes it take two writes."""
    random = Random(index)
    return [random.randbytes(size) for size in (700, 0, 3000 if index % 3 else 1 << 20, 90)]


def write(store: FileSnapshots, index: int) -> SnapshotInfo:
    return written(store, index, content(index))


@functools.cache
def sent(index: int) -> tuple[SnapshotInfo, bytes]:
    return as_sent(index, content(index))


def receive(store: FileSnapshots, index: int) -> SnapshotInfo:
    info, data = sent(index)
    receiver = store.receive(info)
    deliver(receiver, data, 300_000)
    return receiver.commit()


by_either = pytest.mark.parametrize("come_by", [write, receive])


def disk_with_an_old_one(seed: int) -> SimulatedFiles:
    files = SimulatedFiles(Random(seed))
    for index in (1, 2, OLD):
        write(opened(files, retain=2), index)
    return files


def assert_whole(store: FileSnapshots) -> int:
    """Check the newest, and return its index."""
    assert store.newest is not None
    assert list(store.chunks(store.newest)) == content(store.newest.index)
    return store.newest.index


def points_of(act: Callable[[FileSnapshots], object]) -> int:
    """Return at how many places a crash can come between, opening included."""
    files = disk_with_an_old_one(0)
    before = files.points
    act(opened(files, retain=2))
    return files.points - before


@after_either
@by_either
def test_a_crash_at_any_point_leaves_the_old_or_the_new_one_whole(
    leave: Leave, come_by: Callable[[FileSnapshots, int], SnapshotInfo]
) -> None:
    found = set()
    points = points_of(lambda store: come_by(store, NEW))
    for seed in SEEDS:
        for fuse in range(1, points + 1):
            files = disk_with_an_old_one(seed)
            files.fuse = fuse
            with contextlib.suppress(Crash):
                come_by(opened(files, retain=2), NEW)
            leave(files)
            store = opened(files, retain=2)
            index = assert_whole(store)
            assert index in (OLD, NEW)
            found.add(index)
            assert not any(name.endswith(".tmp") for name in files.names())
            assert len([name for name in files.names() if not name.endswith(".part")]) <= 2
            # what is newest once stays so, whatever comes: the log behind it may have been dropped by now
            files.cut_power()
            assert assert_whole(opened(files, retain=2)) == index
            come_by(store := opened(files, retain=2), NEW)
            assert assert_whole(store) == NEW
    assert found == {OLD, NEW}


@by_either
def test_what_was_committed_is_the_newest_after_any_crash(
    come_by: Callable[[FileSnapshots, int], SnapshotInfo],
) -> None:
    for seed in range(30):
        files = disk_with_an_old_one(seed)
        info = come_by(opened(files, retain=2), NEW)
        files.cut_power()
        store = opened(files, retain=2)
        assert store.newest == info
        assert assert_whole(store) == NEW


def test_a_history_of_crashes_never_loses_a_snapshot_nor_shows_half_of_one() -> None:
    for seed in range(40):
        random = Random(seed)
        files = SimulatedFiles(random)
        write(opened(files, retain=2), 1)
        least = 1
        for index in range(2, 14):
            files.fuse = random.randint(1, 60)
            with contextlib.suppress(Crash):
                (write if random.random() < 0.5 else receive)(opened(files, retain=2), index)
                least = index
            (files.kill if random.random() < 0.5 else files.cut_power)()
            found = assert_whole(opened(files, retain=2))
            assert least <= found <= index, f"seed {seed}"
            least = found


def test_what_of_a_transfer_was_synced_is_not_asked_for_again_after_a_crash() -> None:
    sender = opened(SimulatedFiles(Random(0)))
    writer = sender.begin(NEW, 2, CONFIGURATION)
    random, chunk = Random(1), 1 << 20
    for _ in range(SYNC_BYTES // chunk + 1):
        writer.write(random.randbytes(chunk))
    info = writer.commit()
    for seed in range(4):
        files = SimulatedFiles(Random(seed))
        receiver = opened(files, retain=2).receive(info)
        while receiver.offset < SYNC_BYTES:
            receiver.accept(receiver.offset, sender.read(info, receiver.offset, chunk))
        arrived = receiver.offset
        files.cut_power()
        store = opened(files, retain=2)
        receiver = store.receive(info)
        assert arrived - 2 * chunk < receiver.offset <= arrived
        receiver.accept(receiver.offset, sender.read(info, receiver.offset, info.size))
        assert receiver.commit() == info
        assert list(store.chunks(info)) == list(sender.chunks(info))


@by_either
def test_a_full_disk_costs_only_what_was_unfinished(come_by: Callable[[FileSnapshots, int], SnapshotInfo]) -> None:
    size = sent(NEW)[0].size
    for room in [0, 1, 500, size // 2, size - 41, size - 1]:
        files = disk_with_an_old_one(0)
        before = files.names()
        store = opened(files, retain=2)
        files.room = sum(len(files.content(name)) for name in before) + room
        with refused("raft.storage.full"):
            come_by(store, NEW)
        assert files.names() == before
        assert assert_whole(store) == OLD
        files.room = None
        come_by(store, NEW)
        assert assert_whole(store) == NEW


def failing_syncs(come_by: Callable[[FileSnapshots, int], SnapshotInfo]) -> list[tuple[SimulatedFiles, FileSnapshots]]:
    """Return what is left when the first sync fails, when the second does, and so on."""
    files = disk_with_an_old_one(0)
    store = opened(files, retain=2)
    before = files.syncs
    come_by(store, NEW)
    left = []
    for failing in range(1, files.syncs - before + 1):
        failed = disk_with_an_old_one(failing)
        store = opened(failed, retain=2)
        failed.fail_sync_in = failing
        with refused("raft.storage.failed"):
            come_by(store, NEW)
        left.append((failed, store))
    return left


@by_either
def test_after_a_failed_sync_the_old_one_stays_the_newest_until_a_restart(
    come_by: Callable[[FileSnapshots, int], SnapshotInfo],
) -> None:
    for files, store in failing_syncs(come_by):
        assert assert_whole(store) == OLD
        files.cut_power()
        assert assert_whole(opened(files, retain=2)) in (OLD, NEW)


def test_a_failed_sync_of_a_file_costs_that_file_and_one_of_the_folder_ends_all_writing() -> None:
    (of_file, after_file), (of_folder, after_folder) = failing_syncs(write)
    assert write(after_file, NEW) == after_file.newest
    of_file.cut_power()
    assert assert_whole(opened(of_file, retain=2)) == NEW

    unfinished = after_folder.newest
    for act in (write, receive):
        with pytest.raises(StorageError) as caught:
            act(after_folder, NEW + 1)
        assert "since the folder could not be synced" in caught.value.message
    assert after_folder.newest == unfinished
    write(opened(of_folder, retain=2), NEW + 1)
    of_folder.cut_power()
    assert assert_whole(opened(of_folder, retain=2)) == NEW + 1


def test_a_snapshot_under_way_when_the_folder_could_not_be_synced_is_refused_too() -> None:
    files = disk_with_an_old_one(0)
    store = opened(files, retain=2)
    writer = store.begin(NEW, 2, CONFIGURATION)
    files.fail_sync_in = 1
    with pytest.raises(StorageError):
        store.receive(sent(NEW)[0])
    with refused("raft.storage.failed"):
        writer.commit()
    assert assert_whole(store) == OLD
    assert not any(name.endswith(".tmp") for name in files.names())


def test_an_unfinished_transfer_that_cannot_be_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    files = disk_with_an_old_one(0)
    store = opened(files, retain=2)
    assert store.receive(sent(NEW)[0]).accept(0, sent(NEW)[1][:-1])

    def refuse(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(SimulatedFile, "read", refuse)
        with refused("raft.storage.failed"):
            store.receive(sent(NEW)[0])
    assert store.receive(sent(NEW)[0]).offset == 0


@pytest.mark.parametrize("operation", ["names", "rename", "remove"])
def test_a_folder_that_refuses_is_named(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = disk_with_an_old_one(0)
    store = opened(files, retain=2)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, operation, refuse)
    if operation == "rename":
        with refused("raft.storage.failed"):
            write(store, NEW)
        assert assert_whole(store) == OLD
    else:
        write(store, NEW)  # what is durable is not undone because an older one can't be removed
        assert assert_whole(store) == NEW
        monkeypatch.undo()
        write(store, NEW + 1)
        assert len(files.names()) == 2
