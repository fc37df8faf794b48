"""Torn by a crash, or damaged: the one is cut off and said, the other refused by name."""

from __future__ import annotations

from random import Random

import pytest

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.log_model import EVERYTHING, Content, content
from tests.unit.raft.storage.log_suite import A, entries, fill
from tests.unit.raft.storage.wal_run import Run, opened
from wire.raft.storage.errors import StorageError
from wire.raft.storage.opening import Recovery
from wire.raft.storage.records import MARK_SIZE, MARK_TAG
from wire.raft.storage.wal import WriteAheadLog


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
