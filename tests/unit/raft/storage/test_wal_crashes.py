"""Whatever goes wrong at whatever moment: what was synced is there again, in order, and nothing made up."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.disk import Crash, SimulatedFile, SimulatedFiles
from tests.unit.raft.storage.log_model import EVERYTHING, Content, change, content
from tests.unit.raft.storage.log_suite import A, entries, fill
from wire.raft.storage.errors import StorageError
from wire.raft.storage.opening import Recovery
from wire.raft.storage.records import MARK_SIZE, MARK_TAG
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.types import Entry

ME = b"cluster/member"
Stop = Callable[[SimulatedFiles], None]


def opened(disk: SimulatedFiles, *, segment_bytes: int = 3000) -> WriteAheadLog:
    return WriteAheadLog(disk, ME, segment_bytes=segment_bytes, compress=True)


class Run:
    """A log that is changed at random, with all that its content may be after a crash: first what was synced."""

    def __init__(self, disk: SimulatedFiles) -> None:
        self.disk = disk
        self.log: WriteAheadLog | None = None
        self.possible = [Content()]

    def work(self, random: Random, steps: int) -> None:
        """Open, change, sync and tidy."""
        self.log = opened(self.disk)
        self.check()
        for _ in range(steps):
            self.possible.append(change(self.log, self.possible[-1], random))
            if random.random() < 0.3:
                self.log.sync()
                del self.possible[:-1]
            if random.random() < 0.2:
                self.log.tidy()

    def check(self) -> None:
        """Check what a log that was just opened holds. From now on that, and nothing else, must be there."""
        assert self.log is not None
        found = content(self.log)
        assert found in self.possible
        self.possible = [found]

    def restart(self, stop: Stop) -> None:
        """Stop, open, and then cut the power: what a log has shown once must survive anything."""
        stop(self.disk)
        for _ in range(2):
            self.log = opened(self.disk)
            self.check()
            self.disk.cut_power()


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
        assert found.value.hint == "free space on its disk: the member goes on by itself once there is room"
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


# torn or damaged


def marked(disk: SimulatedFiles, *, entries: int = 40) -> WriteAheadLog:
    """A log of three writes, each but the first with its mark behind it."""
    log = opened(disk, segment_bytes=1 << 20)
    for first, last in ((1, 2), (3, 4), (5, entries)):
        fill(log, first, last, size=100)
        log.set_vote(A)
        log.sync()
    return log


def unmarked(disk: SimulatedFiles) -> tuple[str, bytes, int]:
    """The same log without the mark behind its last write: name and content of its file, where that write begins."""
    marked(disk)
    (name,) = disk.names()
    data = disk.content(name)[:-MARK_SIZE]
    disk.put(name, data)
    return name, data, data.rindex(MARK_TAG) - 8


@pytest.mark.parametrize("seed", range(2))
def test_a_flipped_bit_in_what_was_synced_is_always_refused(seed: int) -> None:
    random = Random(seed)
    run = Run(SimulatedFiles(Random(seed)))
    run.work(random, 50)
    assert run.log is not None
    run.log.sync()
    run.log.close()
    run.disk.cut_power()
    opened(run.disk).close()
    expected = content(opened(run.disk))
    damages = 0
    for name in run.disk.names():
        for offset in range(len(run.disk.content(name))):
            bit = 1 << random.randrange(8)
            run.disk.damage(name, offset, bit)
            try:
                found = content(opened(run.disk))
            except StorageError as exc:
                damages += (
                    exc.code in ("raft.storage.damaged", "raft.storage.version") and f"/disk/{name}" in exc.message
                )
            else:  # behind all that counts
                assert found == expected
            run.disk.damage(name, offset, bit)
    assert damages >= sum(len(run.disk.content(name)) for name in run.disk.names()) - 2 * MARK_SIZE


def test_any_single_flipped_bit_of_a_marked_log_is_refused_or_harmless() -> None:
    disk = SimulatedFiles(Random(3))
    log = marked(disk, entries=7)
    expected = content(log)
    log.close()
    (name,) = disk.names()
    counts = len(disk.content(name)) - MARK_SIZE
    for offset in range(len(disk.content(name))):
        for bit in range(8):
            disk.damage(name, offset, 1 << bit)
            if offset < counts:
                with pytest.raises(StorageError, match=f"/disk/{name}"):
                    opened(disk)
            else:
                assert_harmless(disk, expected)
            disk.damage(name, offset, 1 << bit)


def assert_harmless(disk: SimulatedFiles, expected: Content) -> None:
    try:
        log = opened(disk)
    except StorageError:
        return
    assert content(log) == expected


def test_a_damaged_byte_is_refused_with_file_and_offset_and_what_to_do() -> None:
    disk = SimulatedFiles(Random(3))
    marked(disk).close()
    (name,) = disk.names()
    offset = disk.content(name).index(b"0000000003")
    disk.damage(name, offset)
    with pytest.raises(StorageError) as found:
        opened(disk)
    frame = offset - 29
    assert found.value.code == "raft.storage.damaged"
    assert found.value.message == (
        f"/disk/{name} is damaged at offset {frame}: a record that had been synced does not match its checksum"
    )
    assert "let it join again with an empty data folder" in (found.value.hint or "")
    assert disk.content(name)[frame : frame + 8] != bytes(8)


def test_a_torn_tail_is_cut_and_said_so() -> None:
    disk = SimulatedFiles(Random(3))
    name, data, _ = unmarked(disk)
    disk.put(name, data[:-1000])
    log = opened(disk)
    assert log.recovered is not None
    assert log.recovered.path == f"/disk/{name}"
    assert log.recovered.offset + log.recovered.bytes == len(data) - 1000
    assert 0 < log.recovered.bytes < 129
    assert log.last == (32, 1)
    last = log.last[0]
    fill(log, last + 1, last + 1)
    log.sync()
    log = opened(disk)
    assert log.recovered is None
    assert log.last == (last + 1, 1)


def test_a_whole_log_has_nothing_to_say() -> None:
    disk = SimulatedFiles(Random(3))
    marked(disk)
    assert opened(disk).recovered is None


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_sector_that_never_reached_the_disk_ends_the_last_write(lost: int) -> None:
    disk = SimulatedFiles(Random(3))
    name, data, begins = unmarked(disk)
    first = begins // 512
    start = max(begins, (first + lost) * 512)
    end = (first + lost + 1) * 512
    disk.put(name, data[:start] + bytes(end - start) + data[end:])
    log = opened(disk)
    assert log.recovered is not None
    assert start - 129 < log.recovered.offset <= start
    assert list(log.entries(1, EVERYTHING)) == entries(1, log.last[0], size=100)
    assert 4 <= log.last[0] < 40


def test_a_damaged_record_in_the_last_write_is_refused_even_without_a_mark() -> None:
    disk = SimulatedFiles(Random(3))
    name, data, _ = unmarked(disk)
    disk.damage(name, data.index(b"0000000017"))
    with pytest.raises(StorageError, match="no crash leaves it like this") as found:
        opened(disk)
    assert found.value.code == "raft.storage.damaged"


def test_a_record_longer_than_the_write_it_is_in_is_refused_even_without_a_mark() -> None:
    disk = SimulatedFiles(Random(3))
    name, data, _ = unmarked(disk)
    disk.damage(name, data.index(b"0000000017") - 29 + 8 + 2)  # its length grows by 64 KiB
    with pytest.raises(StorageError, match="no crash leaves it like this"):
        opened(disk)


def test_a_last_write_without_a_mark_is_written_again() -> None:
    """Nobody knows whether it is on disk: the sync may have failed, and what was read be the kernel's copy."""
    disk = SimulatedFiles(Random(3))
    unmarked(disk)
    log = opened(disk)
    assert (log.recovered, log.dirty, log.last) == (None, False, (40, 1))
    assert len(disk.names()) == 2
    first, second = disk.names()
    assert disk.content(second).count(b"00000000") == 36
    disk.damage(first, disk.content(first).index(b"0000000017"))  # it does not count there any more
    assert content(opened(disk)).last == (40, 1)


def test_a_write_of_which_only_the_mark_is_there_is_left_behind() -> None:
    """Where it was to end is said in its mark: something else there would not be taken for what it is."""
    disk = SimulatedFiles(Random(3))
    name, data, begins = unmarked(disk)
    disk.put(name, data[: begins + MARK_SIZE])
    log = opened(disk)
    assert log.last == (4, 1)
    fill(log, 5, 5, size=100)
    log.sync()
    assert disk.content(name) == data[: begins + MARK_SIZE]
    assert content(opened(disk)).last == (5, 1)


def test_damage_that_looks_torn_in_a_last_write_without_a_mark_can_not_be_told_apart() -> None:
    """What the module's docstring says can't be told apart: a write that was also cut short, with a wrong length."""
    disk = SimulatedFiles(Random(3))
    name, data, _ = unmarked(disk)
    disk.put(name, data[:-1500])
    disk.damage(name, data.index(b"0000000025") - 29 + 8 + 1, 1 << 2)  # a KiB longer: behind the cut, in the write
    log = opened(disk)
    assert log.last == (24, 1)
    assert isinstance(log.recovered, Recovery)


def test_a_segment_that_lacks_what_the_next_one_counts_on_is_refused() -> None:
    disk = SimulatedFiles(Random(3))
    log = opened(disk, segment_bytes=500)
    for index in range(1, 20):
        fill(log, index, index, size=100)
        log.sync()
    first, *_ = disk.names()
    data = disk.content(first)
    disk.put(first, data[: data.rindex(MARK_TAG) - 30])
    with pytest.raises(StorageError, match=f"/disk/{first} is damaged at offset .*: what was written there is gone"):
        opened(disk)


def test_a_damaged_byte_in_a_segment_that_has_a_next_is_refused() -> None:
    disk = SimulatedFiles(Random(3))
    log = opened(disk, segment_bytes=500)
    for index in range(1, 20):
        fill(log, index, index, size=100)
        log.sync()
    first, *_ = disk.names()
    frame = disk.content(first).index(b"0000000002") - 29
    disk.damage(first, frame + 60)
    message = f"/disk/{first} is damaged at offset {frame}: a record does not match its checksum"
    with pytest.raises(StorageError, match=message):
        opened(disk)


@pytest.mark.parametrize("cut", [1, 100])
def test_a_compressed_segment_that_is_cut_or_damaged_is_refused(cut: int) -> None:
    disk = SimulatedFiles(Random(3))
    log = opened(disk, segment_bytes=1000)
    for index in range(1, 20):
        fill(log, index, index, size=100)
        log.sync()
    while log.tidy():
        pass
    first, *_ = disk.names()
    whole = disk.content(first)
    disk.put(first, whole[:-cut])
    with pytest.raises(StorageError, match="the compressed data ends too early"):
        opened(disk)
    disk.put(first, whole)
    expected = content(opened(disk))
    refused = 0
    for offset in range(len(whole)):
        disk.damage(first, offset, 64)
        try:
            assert content(opened(disk)) == expected  # zstd has bits that mean nothing
        except StorageError as exc:
            refused += f"/disk/{first}" in exc.message
        disk.damage(first, offset, 64)
    assert refused > len(whole) - 5


@pytest.mark.parametrize("fault", ["full", "sync"])
def test_a_compression_that_fails_leaves_the_log_as_it_was(fault: str) -> None:
    disk = SimulatedFiles(Random(3))
    log = opened(disk, segment_bytes=1000)
    for index in range(1, 20):
        fill(log, index, index, size=100)
        log.sync()
    before, names = content(log), disk.names()
    if fault == "full":
        disk.room = sum(len(disk.content(name)) for name in names)
    else:
        disk.fail_sync_in = 1
    with pytest.raises(StorageError):
        log.tidy()
    assert disk.names() == names
    disk.room = None
    disk.kill()
    assert content(opened(disk)) == before


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
