"""Files of the operating system."""

from __future__ import annotations

from pathlib import Path

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
