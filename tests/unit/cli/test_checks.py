"""What `wire doctor` says of folders."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from wire.cli.checks import Check, folder


@pytest.mark.parametrize(
    ("free", "status", "detail"), [(5 << 30, "ok", "5.0 GiB"), (3 << 20, "optional", "only 3.0 MiB")]
)
def test_little_space_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str, detail: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    found = folder("sink file", tmp_path / "not" / "made", "choose another")
    assert (found.status, found.detail) == (status, f"{tmp_path}/not/made, {detail} free")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = folder("sink file", tmp_path / "file" / "out", "choose another")
    assert found == Check("sink file", "missing", f"{tmp_path}/file is not a folder; choose another")


def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    found = folder("sink file", tmp_path, "choose another")
    assert found == Check("sink file", "missing", f"{tmp_path} is not writable; choose another")
