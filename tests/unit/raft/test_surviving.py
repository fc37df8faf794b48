"""One member's folder becomes a cluster of its own: all it has is there, under another id, and nothing else changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.sim.raft.machine import Ledger
from wire.core.errors import FatalError, RefusedError
from wire.raft import Configuration, Member, MemberId, found_cluster
from wire.raft.replica.configurations import command_of
from wire.raft.storage.files import DiskFiles
from wire.raft.storage.wal import WriteAheadLog
from wire.raft.surviving import look, survive
from wire.raft.types import Entry, Vote

ME, B, C, D = (Member(MemberId(f"{name}/1"), f"{name}:1") for name in "abcd")
THREE = Configuration((ME, B, C))
FOUR = Configuration((ME, B, C), (D,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a member has that founded a cluster of three, to which a fourth was added: five entries, the last ones of
    term 7, of which nobody knows whether they were committed."""
    found_cluster(tmp_path / "raft", "old", THREE, Ledger())
    write(
        tmp_path / "raft",
        [Entry(1, 1, b"\x00"), Entry(2, 1, command_of(FOUR)), *(Entry(n, 7, b"\x01%d" % n) for n in (3, 4, 5))],
    )
    return tmp_path / "raft"


def write(folder: Path, entries: list[Entry]) -> None:
    log = WriteAheadLog(DiskFiles(folder / "log"), b"old/a/1")
    for entry in entries:
        log.append(entry)
    log.set_vote(Vote(9, B.id))
    log.sync()
    log.close()


def read(folder: Path, cluster: str) -> list[Entry]:
    log = WriteAheadLog(DiskFiles(folder / "log"), f"{cluster}/a/1".encode())
    entries = list(log.entries(1, 1 << 30))
    log.close()
    return entries


def test_it_has_every_entry_and_behind_them_decides_alone_in_a_new_term(folder: Path, tmp_path: Path) -> None:
    before = look(folder, "old", ME.id)
    assert (before.me, before.members, before.last_index, before.last_term) == (ME, FOUR, 5, 7)
    after = survive(folder, "old", ME.id, tmp_path / "new", "new")
    assert after == look(tmp_path / "new", "new", ME.id)
    assert (after.last_index, after.last_term) == (6, 10)  # newer than any vote it has given
    assert after.members == Configuration((ME,), removed=(B.id, C.id, D.id))
    assert read(tmp_path / "new", "new")[:5] == read(folder, "old")


def test_the_old_folder_goes_on_to_hold_what_it_held(folder: Path, tmp_path: Path) -> None:
    look(folder, "old", ME.id)  # to open a log may tidy it up
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}
    held = read(folder, "old")
    survive(folder, "old", ME.id, tmp_path / "new", "new")
    assert before.keys() <= set(folder.rglob("*"))
    assert read(folder, "old") == held


def test_neither_takes_the_other_for_its_own(folder: Path, tmp_path: Path) -> None:
    survive(folder, "old", ME.id, tmp_path / "new", "new")
    for path, cluster in ((folder, "new"), (tmp_path / "new", "old")):
        with pytest.raises(FatalError, match=r"raft\.storage\.foreign"):
            look(path, cluster, ME.id)


def test_who_is_no_member_has_nothing_to_go_on_with(folder: Path) -> None:
    write(folder, [Entry(6, 9, command_of(Configuration((B, C), removed=(ME.id,))))])
    with pytest.raises(RefusedError, match=r"raft\.unknown_member"):
        look(folder, "old", ME.id)


def test_a_log_that_is_damaged_is_no_more_used_than_by_a_node(folder: Path, tmp_path: Path) -> None:
    segment = max(path for path in (folder / "log").iterdir() if path.is_file())
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    segment.write_bytes(content)
    with pytest.raises(FatalError, match=r"raft\.storage\.damaged"):
        survive(folder, "old", ME.id, tmp_path / "new", "new")


def test_a_member_without_a_snapshot_has_its_log_from_the_beginning(tmp_path: Path) -> None:
    write(tmp_path / "raft", [Entry(1, 1, b"\x00"), Entry(2, 1, command_of(FOUR))])
    after = survive(tmp_path / "raft", "old", ME.id, tmp_path / "new", "new")
    assert (after.last_index, after.snapshot_index) == (3, 0)
    assert read(tmp_path / "new", "new")[:2] == read(tmp_path / "raft", "old")
