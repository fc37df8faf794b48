"""A data folder is used by one process at a time, and free again however that process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.raft.storage.snapshot_support import refused
from wire.raft.storage.locking import locked

HOLD = """
import pathlib, sys
from wire.raft.storage.locking import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with another_process(folder) as holder, refused("raft.storage.locked") as caught, locked(folder):
        pass
    assert caught.value.message == f"the data folder {folder} is in use by another member (process {holder.pid})"
    assert "end that process" in str(caught.value.hint)


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with another_process(tmp_path) as holder:
        holder.kill()
        holder.wait()
        with locked(tmp_path):
            assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_the_same_process_is_refused_too_until_the_lock_is_let_go(tmp_path: Path) -> None:
    with locked(tmp_path), refused("raft.storage.locked"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_folder_that_can_not_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused("raft.storage.failed") as caught, locked(tmp_path / "file"):
        pytest.fail("a file was taken for a folder")
    assert f"can't lock {tmp_path / 'file'}" in caught.value.message
