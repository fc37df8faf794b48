"""A node's folder after its cluster was recovered, and where that is broken off or makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire.core.errors import FatalError, RefusedError, UnavailableError
from wire.node.data_dir import data_dir, data_dir_of_a_node
from wire.node.membership import recovering
from wire.node.membership.entering import found
from wire.node.membership.recovering import found_in, recover


def fail(exc: Exception) -> None:
    raise exc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a node that has founded a cluster."""
    with data_dir(tmp_path / "data", "n1") as data:
        found(data, "127.0.0.1:1", fail)
    return tmp_path / "data"


def test_the_node_is_the_same_in_another_cluster_and_can_be_recovered_again(folder: Path) -> None:
    with data_dir_of_a_node(folder) as data:
        before, member = found_in(data), data.identity.member
        after = recover(data, lambda: "c-2")
        assert (after.cluster, after.alone, after.last_index) == ("c-2", before.alone, before.last_index + 1)
    with data_dir(folder, "n1") as data:
        assert (data.identity.member, data.identity.cluster) == (member, "c-2")
        assert data.raft == folder / "raft-c-2"
        assert recover(data, lambda: "c-3").last_index == after.last_index + 1
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"raft", "raft-c-2", "raft-c-3"}


def test_broken_off_nothing_has_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise FatalError("raft.storage.full", "there is no room")

    with data_dir_of_a_node(folder) as data:
        before = data.identity
        with monkeypatch.context() as patched:
            patched.setattr(recovering, "survive", full)
            with pytest.raises(FatalError, match=r"raft\.storage\.full"):
                recover(data)
        assert data.identity == before
        assert [path.name for path in folder.iterdir() if path.is_dir()] == ["raft"]
        assert recover(data).cluster == data.identity.cluster


def test_what_there_is_not_is_not_recovered(tmp_path: Path, folder: Path) -> None:
    with (
        pytest.raises(UnavailableError, match=r"node\.data_refused") as refused,
        data_dir_of_a_node(tmp_path / "nowhere"),
    ):
        pass
    assert "--data-dir" in str(refused.value.hint)
    assert not (tmp_path / "nowhere").exists()
    with (
        data_dir(tmp_path / "blank", "n2") as data,
        pytest.raises(RefusedError, match=r"node\.nothing_to_recover"),
    ):
        recover(data)
    with data_dir(folder, "n1") as data:
        data.leave_cluster("removed")
        with pytest.raises(FatalError, match=r"node\.removed"):
            recover(data)
