"""A node's folder: who it belongs to outlives everything, and nobody else gets in."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wire.core.errors import FatalError, UnavailableError
from wire.node.data_dir import Identity, data_dir
from wire.node.membership.founding import cluster_of
from wire.raft import Member, MemberId


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "wire-data"


def test_a_new_folder_is_its_owners_alone_and_says_who_the_node_is(path: Path) -> None:
    with data_dir(path, "n1", lambda: "i-1") as folder:
        assert folder.identity.member == "n1/i-1"
        assert folder.identity.cluster is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert json.loads((path / "node.json").read_text()) == {
        "name": "n1",
        "incarnation": "i-1",
        "cluster": None,
        "agreed": None,
        "withdrawn": False,
        "parted": None,
        "raft": "raft",
        "format": 1,
    }


def test_the_node_is_the_same_after_a_restart_and_somebody_new_in_an_empty_folder(path: Path, tmp_path: Path) -> None:
    with data_dir(path, "n1") as folder:
        first = folder.identity
        folder.found_cluster("c-1")
    with data_dir(path, "n1") as folder:
        assert folder.identity.incarnation == first.incarnation
        assert folder.identity.cluster == "c-1"
        folder.found_cluster("c-1")
    with data_dir(tmp_path / "other", "n1") as folder:
        assert folder.identity.incarnation != first.incarnation


def test_a_node_does_not_change_its_cluster(path: Path) -> None:
    with data_dir(path, "n1") as folder:
        folder.found_cluster("c-1")
        with pytest.raises(FatalError) as failure:
            folder.found_cluster("c-2")
        assert failure.value.code == "node.data_foreign"
        assert folder.identity.cluster == "c-1"


FOUNDERS = (Member(MemberId("n1/i-1"), "a:1"), Member(MemberId("n2/i-2"), "b:1"))


def test_what_a_node_has_agreed_to_outlives_it_until_it_is_founded(path: Path) -> None:
    with data_dir(path, "n1", lambda: "i-1") as folder:
        folder.agree(FOUNDERS)
        folder.withdraw()
    with data_dir(path, "n1") as folder:
        assert (folder.identity.agreed, folder.identity.withdrawn) == (FOUNDERS, True)
        folder.resume()
    with data_dir(path, "n1") as folder:
        assert (folder.identity.agreed, folder.identity.withdrawn) == (FOUNDERS, False)
        folder.found_cluster(cluster_of(FOUNDERS))
    with data_dir(path, "n1") as folder:
        assert (folder.identity.agreed, folder.identity.cluster) == (None, cluster_of(FOUNDERS))


def test_an_incarnation_agrees_once_and_belongs_to_no_other_cluster(path: Path) -> None:
    incarnations = iter(["i-1", "i-3"])
    with data_dir(path, "n1", lambda: next(incarnations)) as folder:
        with pytest.raises(FatalError):
            folder.agree(FOUNDERS[1:])
        folder.agree(FOUNDERS)
        for attempt in (lambda: folder.agree(FOUNDERS[:1]), lambda: folder.found_cluster("c-1")):
            with pytest.raises(FatalError) as failure:
                attempt()
            assert failure.value.code == "node.data_foreign"
        folder.renew()
        assert folder.identity == Identity(name="n1", incarnation="i-3")
        folder.found_cluster("c-1")
        with pytest.raises(FatalError):
            folder.agree(FOUNDERS)


def test_the_folder_of_another_node_is_left_alone(path: Path) -> None:
    with data_dir(path, "n1"):
        pass
    before = (path / "node.json").read_bytes()
    with pytest.raises(FatalError) as failure, data_dir(path, "n2"):
        pass
    assert failure.value.code == "node.data_foreign"
    assert "it belongs to the node n1, not n2" in failure.value.message
    assert failure.value.hint is not None
    assert (path / "node.json").read_bytes() == before


def test_a_folder_that_lacks_who_it_belongs_to_is_left_as_it_is(path: Path) -> None:
    with data_dir(path, "n1") as folder:
        folder.found_cluster("c-1")
    (path / "node.json").unlink()
    with pytest.raises(FatalError, match=r"no .*node\.json.*whose .*raft is") as failure, data_dir(path, "n1"):
        pass
    assert failure.value.code == "node.data_damaged"
    assert not (path / "node.json").exists(), "somebody new with the log of somebody else"


@pytest.mark.parametrize("lost", ["", "log"])
def test_a_member_that_lacks_what_it_knew_of_its_cluster_does_not_begin_with_nothing(path: Path, lost: str) -> None:
    with data_dir(path, "n1") as folder:
        folder.found_cluster("c-1")
    shutil.rmtree(folder.raft / lost)
    folder.raft.mkdir(exist_ok=True)
    with pytest.raises(FatalError, match="raft is gone") as failure, data_dir(path, "n1"):
        pass
    assert failure.value.code == "node.data_damaged"
    assert "wire cluster remove n1" in str(failure.value.hint)


def test_a_log_that_can_not_be_looked_for_is_not_called_lost(path: Path) -> None:
    with data_dir(path, "n1") as folder:
        folder.found_cluster("c-1")
    shutil.rmtree(folder.raft / "log")
    (folder.raft / "log").write_text("a file in the place of the folder")
    with pytest.raises(UnavailableError, match="not a directory") as failure, data_dir(path, "n1"):
        pass
    assert failure.value.code == "node.data_refused"


def test_a_second_process_does_not_get_in(path: Path) -> None:
    script = (
        "import sys, pathlib\nfrom wire.node.data_dir import data_dir\n"
        "with data_dir(pathlib.Path(sys.argv[1]), 'n1'):\n    print('in', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(UnavailableError) as failure, data_dir(path, "n1"):
            pass
        assert failure.value.code == "node.data_in_use"
        assert f"(process {other.pid})" in failure.value.message
        other.kill()
    with data_dir(path, "n1"):
        pass


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "node.data_damaged"),
        (b'{"name": "n1", "incarn', "node.data_damaged"),
        (b"\xff\xfe", "node.data_damaged"),
        (b'{"format": 1, "name": "n1"}', "node.data_damaged"),
        (b'{"format": 2, "something": "else"}', "node.data_version"),
    ],
)
def test_a_folder_that_is_not_understood_is_left_alone(path: Path, content: bytes, code: str) -> None:
    with data_dir(path, "n1"):
        pass
    (path / "node.json").write_bytes(content)
    with pytest.raises(FatalError) as failure, data_dir(path, "n1"):
        pass
    assert failure.value.code == code
    assert failure.value.hint is not None
    assert (path / "node.json").read_bytes() == content


def test_what_a_crash_left_half_written_is_of_no_importance(path: Path) -> None:
    with data_dir(path, "n1") as folder:
        first = folder.identity
    (path / "node.json~").write_bytes(b'{"name"')
    with data_dir(path, "n1") as folder:
        assert folder.identity == first
        folder.found_cluster("c-1")
    assert not (path / "node.json~").exists()


def test_the_identity_is_synced_before_it_has_its_name_and_the_name_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("fdatasync", "replace", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (done.append(name), real(*args)))
    with data_dir(path, "n1"):
        assert done[-3:] == ["fdatasync", "replace", "fsync"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError) as failure, data_dir(tmp_path / "file" / "data", "n1"):
        pass
    assert failure.value.code == "node.data_refused"


def test_that_a_node_has_left_or_was_removed_is_remembered(path: Path) -> None:
    with data_dir(path, "n1") as folder:
        folder.found_cluster("c-1")
        folder.leave_cluster("left")
    with data_dir(path, "n1") as folder:
        assert folder.identity.parted == "left"
        gone = folder.gone()
    assert (gone.code, "has left the cluster c-1" in gone.message) == ("node.removed", True)
    assert str(path) in str(gone.hint)
