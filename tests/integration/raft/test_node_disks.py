"""Disks that refuse: what a member lets pass and goes on from, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.raft.cluster_kit import PIECES, cluster
from tests.waiting import until
from wire.raft.storage.errors import StorageError


def failing(times: int, code: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` as it is when it is refused so often before it works."""
    left = [times]

    def refusing(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise StorageError(code, "refused for a test")
        return call(*args)

    return refusing


@pytest.mark.parametrize("code", ["raft.storage.full", "raft.snapshot.damaged", "raft.snapshot.gone"])
async def test_a_snapshot_that_could_not_be_received_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    async with cluster(tmp_path, "a", settings=PIECES) as its:
        leader = await its.leader()
        values = [b"%d" % n for n in range(30)]
        for value in values:
            await leader.node.propose(value)
        new = its.host("b")
        await new.start()
        receive = new.node._snapshots.receive
        monkeypatch.setattr(new.node._snapshots, "receive", failing(3, code, receive))
        with capture_logs() as logs:
            assert await leader.node.add_member(new.member) == b""
            await until(lambda: new.machine.values == values)
        assert [line["event"] for line in logs].count("raft_snapshot_not_received") == 3


@pytest.mark.parametrize("operation", ["sync", "tidy"])
async def test_a_disk_that_fails_ends_the_member_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    async with cluster(tmp_path, "a") as its:
        one = await its.leader()
        monkeypatch.setattr(one.node._store, operation, failing(1, "raft.storage.failed", lambda: False))
        if operation == "sync":
            await one.node.propose(b"v", timeout_s=1.0)
        await until(lambda: not one.running)
        with pytest.raises(ExceptionGroup) as caught:
            await one.stop()
        assert caught.group_contains(StorageError, match=r"raft\.storage\.failed")
        await one.start()
        assert isinstance(await one.node.propose(b"w"), bytes)


async def test_a_disk_without_room_to_tidy_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(tmp_path, "a") as its:
        node = (await its.leader()).node
        tidied: list[bool] = []
        tidy = failing(1, "raft.storage.full", node._store.tidy)
        monkeypatch.setattr(node._store, "tidy", lambda: tidied.append(tidy()))
        await until(lambda: bool(tidied))
        assert await node.propose(b"v") == b"0"


async def test_a_snapshot_that_the_disk_refuses_ends_the_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a") as its:
        one = await its.leader()
        with monkeypatch.context() as patch:
            patch.setattr(one.node._snapshots, "begin", failing(1, "raft.storage.failed", lambda: None))
            with pytest.raises(StorageError, match=r"raft\.storage\.failed"):
                await one.node.snapshot()
            await until(lambda: not one.running)
        with pytest.raises(ExceptionGroup):
            await one.stop()
        await one.start()
        await one.node.snapshot()


async def test_a_snapshot_that_finds_no_room_half_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a") as its:
        one = await its.leader()
        assert await one.node.propose(b"v") == b"0"
        begin = one.node._snapshots.begin
        with monkeypatch.context() as patch:

            def begun(*args: Any) -> Any:
                writer = begin(*args)
                patch.setattr(writer, "commit", failing(1, "raft.storage.full", writer.commit))
                return writer

            patch.setattr(one.node._snapshots, "begin", begun)
            with pytest.raises(StorageError, match=r"raft\.storage\.full"):
                await one.node.snapshot()
        assert not list((one.folder / "snapshots").glob("*.tmp"))
        assert (await one.node.snapshot()).index == one.node.status().applied


async def test_a_write_that_a_crash_has_interrupted_is_told_of_at_the_start(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a") as its:
        one = await its.leader()
        assert await one.node.propose(b"v") == b"0"
        await one.stop()
        segment = max((one.folder / "log").iterdir())
        with segment.open("ab") as file:
            file.write(bytes(600))
        with capture_logs() as logs:
            await one.start()
        (line,) = [line for line in logs if line["event"] == "raft_log_cut"]
        assert str(segment) in line["recovery"]
        assert await one.node.propose(b"w") == b"1"
