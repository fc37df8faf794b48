"""How a node comes to belong to a cluster: founding that is broken off, and who is let in."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.api.api_kit import CLUSTER, Served, serving
from tests.waiting import insist, until
from wire.core.errors import FatalError, RetryableError
from wire.node.calls import Joined
from wire.node.data_dir import data_dir
from wire.node.membership.entering import begin_anew, discard, found, found_with, let_in
from wire.node.membership.founding import cluster_of
from wire.raft import Member, MemberId, Role
from wire.raft.storage.folder import begin_log, open_member_snapshots


def fail(exc: Exception) -> None:
    raise exc


def test_founding_that_was_broken_off_anywhere_is_done_again_to_the_same_end(tmp_path: Path) -> None:
    with data_dir(tmp_path, "n1") as data:
        (tmp_path / "raft" / "snapshots").mkdir(parents=True)  # killed while it was written
        (tmp_path / "raft" / "snapshots" / "half").write_text("")
        cluster = found(data, "127.0.0.1:1", fail)
        assert data.identity.cluster == cluster
    (tmp_path / "node.json").write_text(  # killed before it was remembered
        (tmp_path / "node.json").read_text().replace(f'"cluster": "{cluster}"', '"cluster": null')
    )
    with data_dir(tmp_path, "n1") as data:
        assert data.identity.cluster is None
        assert found(data, "127.0.0.1:1", fail) == cluster
        assert data.identity.cluster == cluster


def test_what_joining_has_left_when_it_was_broken_off_is_in_nobodys_way(tmp_path: Path) -> None:
    with data_dir(tmp_path, "n1") as folder:
        begin_log(folder.raft, "another", folder.identity.member)  # before the cluster is written down
        cluster = found(folder, "127.0.0.1:1", fail)
        with closing(open_member_snapshots(folder.raft, cluster)) as snapshots:
            assert snapshots.newest is not None


def test_what_was_agreed_to_is_founded_by_each_and_what_is_left_of_it_goes_with_the_incarnation(tmp_path: Path) -> None:
    with data_dir(tmp_path, "n1") as data:
        founders = (Member(data.identity.member, "127.0.0.1:1"), Member(MemberId("n2/i"), "127.0.0.1:2"))
        data.agree(founders)
        assert found_with(data, founders, fail) == data.identity.cluster == cluster_of(founders)
    with data_dir(tmp_path / "other", "n2", lambda: "i") as data:
        assert found_with(data, founders, fail) == cluster_of(founders)
    kept = json.loads((tmp_path / "node.json").read_text())  # killed before it was remembered
    (tmp_path / "node.json").write_text(json.dumps(kept | {"cluster": None, "agreed": None}))
    with data_dir(tmp_path, "n1") as data:
        discard(data)
        assert not (tmp_path / "raft").exists()
        found_with(data, founders, fail)
    (tmp_path / "node.json").write_text(json.dumps(kept | {"cluster": None, "agreed": None}))
    with data_dir(tmp_path, "n1") as data:
        begin_anew(data)
        assert not (tmp_path / "raft").exists()
        assert data.identity.member != founders[0].id
        begin_anew(data)
        assert found(data, "127.0.0.1:1", fail) == data.identity.incarnation


async def led(served: Served) -> None:
    await until(lambda: served.node.status().role is Role.LEADER)


async def test_a_newcomer_is_let_in_without_a_vote_and_again_if_it_asks_again(tmp_path: Path) -> None:
    newcomer = Member(MemberId("n2/i"), "127.0.0.1:9")
    async with serving(tmp_path) as served:
        await led(served)
        for _ in range(2):
            assert await let_in(served.node, CLUSTER, newcomer) == Joined(cluster=CLUSTER)
        assert served.node.members().learners == (newcomer,)


async def test_the_name_of_a_member_that_is_there_is_not_given_to_another_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await led(served)
        with pytest.raises(RetryableError) as refused:
            await let_in(served.node, CLUSTER, Member(MemberId("n1/another"), "127.0.0.1:9"))
    assert refused.value.code == "cluster.name_taken"
    assert refused.value.hint is not None


async def test_a_node_that_lost_its_disk_takes_the_place_of_its_older_self_once_that_is_silent(tmp_path: Path) -> None:
    older, newer = (Member(MemberId(f"n2/{which}"), "127.0.0.1:9") for which in ("older", "newer"))
    async with serving(tmp_path) as served:
        await led(served)
        await let_in(served.node, CLUSTER, older)
        with pytest.raises(RetryableError):
            await let_in(served.node, CLUSTER, newer)
        joined = await insist(lambda: let_in(served.node, CLUSTER, newer), on=RetryableError)
        assert joined == Joined(cluster=CLUSTER)
        members = served.node.members()
    assert members.learners == (newer,)
    assert older.id in members.removed


async def test_who_was_removed_does_not_come_back_under_the_same_incarnation(tmp_path: Path) -> None:
    newcomer = Member(MemberId("n2/i"), "127.0.0.1:9")
    async with serving(tmp_path) as served:
        await led(served)
        await let_in(served.node, CLUSTER, newcomer)
        await served.node.remove_member(newcomer.id)
        with pytest.raises(FatalError) as refused:
            await let_in(served.node, CLUSTER, newcomer)
    assert refused.value.code == "raft.removed_member"


async def test_who_does_not_lead_says_who_does_or_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, others=2) as served:
        answer = await let_in(served.node, CLUSTER, Member(MemberId("n9/i"), "127.0.0.1:9"))
    assert answer == Joined()
