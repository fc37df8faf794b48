"""Files of the operating system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wire.raft.storage.files import DiskFiles


def test_a_file_that_is_closed_twice_closes_nobody_elses(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    first = files.create("first")
    first.close()
    second = files.create("second")  # the system gives it the descriptor that is free
    first.close()
    second.append(b"content")
    assert second.read(0, 10) == b"content"
    second.close()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were synced."""
    found: list[Path] = []

    def fsync(descriptor: int) -> None:
        found.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_a_folder_that_is_made_is_on_disk_with_those_it_is_in(tmp_path: Path, synced: list[Path]) -> None:
    DiskFiles(tmp_path / "raft" / "log")
    assert synced == [tmp_path, tmp_path / "raft"]


def test_a_folder_that_is_there_may_not_be_on_disk_yet(tmp_path: Path, synced: list[Path]) -> None:
    (tmp_path / "log").mkdir()
    DiskFiles(tmp_path / "log")
    assert synced == [tmp_path]
