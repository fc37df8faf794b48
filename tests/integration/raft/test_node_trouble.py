"""Members in trouble: newcomers to long logs, full disks, callers who ask for too much, and members that stop."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from tests.integration.raft.cluster_kit import CLUSTER, PIECES, QUICK, Host, cluster
from tests.sim.raft.machine import Ledger
from tests.waiting import insist, until
from wire.core.errors import UnavailableError
from wire.raft import Configuration, Event, RaftSettings, Rejected, Unknown, found_cluster, inbox
from wire.raft.storage.errors import StorageError
from wire.raft.threads import in_thread

SMALL = RaftSettings(
    heartbeat_s=0.05, election_min_s=1.0, election_max_s=2.0, max_append_bytes=1000, snapshot_entries=1_000_000
)


@pytest.mark.parametrize("settings", [SMALL, PIECES], ids=["entries", "pieces of a snapshot"])
async def test_a_newcomer_gets_a_log_that_takes_many_messages(tmp_path: Path, settings: RaftSettings) -> None:
    async with cluster(tmp_path, "a", settings=settings) as its:
        leader = await its.leader()
        values = [b"%d-" % n + b"x" * 300 for n in range(60)]
        for value in values:
            await leader.node.propose(value)
        new = its.host("b")
        assert await leader.node.add_member(new.member) == b""
        await new.start()
        await until(lambda: new.machine.values == values)
        await insist(lambda: _voting(leader.node.promote(new.member.id)), AssertionError)
        assert await new.node.propose(b"v") == b"60"


async def _voting(change: object) -> None:
    assert await change == b""  # type: ignore[misc]


async def test_a_request_id_that_is_too_long_is_refused(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b", "c") as its:
        await its.leader()
        for host in its.hosts.values():
            outcome = await host.node.propose(b"v", b"x" * 300)
            assert isinstance(outcome, Rejected)
            assert outcome.code == "raft.too_large"
        assert await host.node.propose(b"v") == b"0"


async def test_callers_hear_that_a_member_stops(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b", "c") as its:
        leader = await its.leader()
        node = leader.node
        for host in its.hosts.values():
            if host is not leader:
                await host.stop()
        loop = asyncio.get_running_loop()
        waiting = [loop.create_task(node.propose(b"v", timeout_s=60)), loop.create_task(node.read_barrier(60))]
        await until(lambda: node.status().log_last > node.status().commit)
        await leader.stop()
        outcome, read = await asyncio.gather(*waiting)
        assert isinstance(outcome, Unknown)
        assert read is False
        assert isinstance(await node.propose(b"w"), Rejected)
        assert await node.read_barrier() is False
        assert isinstance(await node.transfer_leadership(), Rejected)
        with pytest.raises(UnavailableError, match=r"raft\.stopped"):
            await node.snapshot()


async def test_callers_too_many_are_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_MAX_CALLERS", 2)
    async with cluster(tmp_path, "a", "b", "c") as its:
        leader = await its.leader()
        others = [host for host in its.hosts.values() if host is not leader]
        for host in others:
            await host.stop()
        loop = asyncio.get_running_loop()
        waiting = [loop.create_task(leader.node.propose(b"%d" % n, timeout_s=60)) for n in range(2)]
        await until(lambda: leader.node.status().log_last > leader.node.status().commit + 1)
        member = leader.member.id
        for outcome in (await leader.node.propose(b"v"), await leader.node.promote(member)):
            assert isinstance(outcome, Rejected)
            assert outcome.code == "raft.busy"
            assert "try again later, or ask another member" in outcome.message
        assert await leader.node.read_barrier(0.2) is False
        await others[0].start()
        assert {type(outcome) for outcome in await asyncio.gather(*waiting)} <= {bytes, Unknown}
        assert isinstance(await leader.node.propose(b"v"), bytes)


async def test_nobody_hears_rejected_of_what_may_have_been_carried_out(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b", "c") as its:
        leader = await its.leader()
        for host in its.hosts.values():
            if host is not leader:
                await host.stop()
        outcome = await leader.node.propose(b"v", b"r", timeout_s=3.0)
        assert isinstance(outcome, Unknown), "it is in the leader's log, and may yet be committed"


async def test_a_full_disk_holds_callers_up_no_longer_than_they_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a") as its:
        node = (await its.leader()).node
        assert await node.propose(b"v") == b"0"

        def full() -> None:
            raise UnavailableError("raft.storage.full", "no room")

        with monkeypatch.context() as patch:
            patch.setattr(node._store, "sync", full)
            outcome = await node.propose(b"w", timeout_s=1.0)
            assert not isinstance(outcome, bytes)
            await until(lambda: node.trouble is not None)
            assert await node.read_barrier(0.3) is False
        assert await node.propose(b"x") in (b"1", b"2"), "it goes on by itself"


async def test_a_snapshot_that_finds_no_room_is_tried_again_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a") as its:
        node = (await its.leader()).node
        assert await node.propose(b"v") == b"0"

        def full(*_: object) -> None:
            raise UnavailableError("raft.storage.full", "no room")

        with monkeypatch.context() as patch:
            patch.setattr(node._snapshots, "begin", full)
            with pytest.raises(UnavailableError, match=r"raft\.storage\.full"):
                await node.snapshot()
        assert (await node.snapshot()).index == node.status().applied
        assert await node.propose(b"w") == b"1"


async def test_a_member_with_nothing_to_do_gives_back_what_its_log_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a") as its:
        node = (await its.leader()).node
        tidied: list[bool] = []
        tidy = node._store.tidy
        monkeypatch.setattr(node._store, "tidy", lambda: tidied.append(tidy()))
        await until(lambda: len(tidied) > 1)


async def test_a_second_member_on_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a") as its:
        first = its.hosts["a"]
        await its.leader()
        second = Host(first.member, first.folder, first.tls, QUICK)
        with pytest.raises(StorageError, match=f"in use by another member .process {os.getpid()}"):
            await second.start()
        with pytest.raises(StorageError, match=r"raft\.storage\.locked"):
            found_cluster(first.folder, CLUSTER, Configuration((first.member,)), Ledger())
        assert await first.node.propose(b"v") == b"0"
        await first.stop()
        await second.start()
        await until(lambda: second.machine.values == [b"v"])
        await second.stop()


async def test_a_member_that_does_not_start_leaves_its_folder_free(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a") as its:
        host = its.hosts["a"]
        await host.stop()
        (newest,) = (host.folder / "snapshots").iterdir()
        content = newest.read_bytes()
        newest.write_bytes(content[:-1])
        with pytest.raises(StorageError, match=r"raft\.storage\.damaged"):
            await host.start()
        newest.write_bytes(content)
        await host.start()
        assert await host.node.propose(b"v") == b"0"


async def test_a_listener_that_fails_stops_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", settings=QUICK) as its:
        node = its.hosts["a"].node

        def fail(_: Event) -> None:
            raise ValueError

        node.listen(fail)
        await its.leader()
        assert await node.propose(b"v") == b"0"


async def test_nobody_can_promote_or_remove_who_is_no_member(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a") as its:
        leader = await its.leader()
        stranger = its.host("x").member.id
        for outcome in (await leader.node.promote(stranger), await leader.node.remove_member(stranger)):
            assert isinstance(outcome, Rejected)
            assert outcome.code == "raft.unknown_member"


async def test_work_in_a_thread_is_never_left_alone_by_a_cancellation() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(30)
        ended.set()

    task = asyncio.get_running_loop().create_task(in_thread(work))
    await until(begun.is_set)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
