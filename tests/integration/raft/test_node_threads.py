"""What the event loop's own thread never does: wait for a disk, or go through the whole of a state."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.raft.cluster_kit import PIECES, QUICK, cluster
from tests.sim.raft.machine import Ledger
from tests.waiting import until
from wire.raft import snapshotting
from wire.raft.replica import requests
from wire.raft.storage.files import DiskFile, DiskFiles


class Observed:
    """Which thread has made the calls that were wrapped, by name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.elsewhere: set[str] = set()
        self.here: set[str] = set()

    def watch(self, where: Any, *names: str) -> None:
        for name in names:
            self._patch.setattr(where, name, self._noted(name, getattr(where, name)))

    def _noted(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def noted(*args: object, **kwargs: object) -> object:
            self.note(name)
            return call(*args, **kwargs)

        return noted

    def note(self, name: str) -> None:
        (self.here if threading.current_thread() is threading.main_thread() else self.elsewhere).add(name)


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Observed:
    return Observed(monkeypatch)


async def test_the_disk_works_in_another_thread_whatever_snapshots_come_and_go(
    tmp_path: Path, observed: Observed
) -> None:
    async with cluster(tmp_path, "a", settings=PIECES) as its:
        observed.watch(DiskFile, "append", "read", "truncate", "sync")
        observed.watch(DiskFiles, "names", "create", "open", "rename", "remove", "sync")
        leader = await its.leader()
        values = [b"%d-" % n + b"x" * 300 for n in range(30)]
        for value in values:
            await leader.node.propose(value)
        await leader.node.snapshot()
        new = its.host("b")
        assert await leader.node.add_member(new.member) == b""
        await new.start()
        await until(lambda: new.machine.values == values)
    assert observed.here == set()
    assert observed.elsewhere >= {"append", "read", "sync", "create", "open", "rename", "remove"}


async def test_a_large_state_is_written_and_restored_chunk_by_chunk_in_another_thread(
    tmp_path: Path, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks, restore = Ledger.snapshot, Ledger.restore

    def observed_chunks(machine: Ledger) -> Iterator[bytes]:
        for n, chunk in enumerate(chunks(machine)):
            if n > 0:  # the first is what ties the iterator to the state as of now
                observed.note("chunk")
            yield chunk

    def observed_restore(machine: Ledger, chunks: Iterable[bytes]) -> None:
        observed.note("restore")
        restore(machine, chunks)

    monkeypatch.setattr(snapshotting, "_BYTES_PER_TURN", 1000)
    async with cluster(tmp_path, "a", "b", settings=PIECES) as its:
        monkeypatch.setattr(Ledger, "snapshot", observed_chunks)
        monkeypatch.setattr(Ledger, "restore", observed_restore)
        observed.watch(requests, "_encode")
        leader = await its.leader()
        other = next(host for host in its.hosts.values() if host is not leader)
        values = [b"%d-" % n + b"x" * 300 for n in range(100)]
        for n, value in enumerate(values):
            assert await leader.node.propose(value, b"%d" % n) == b"%d" % n
        await leader.node.snapshot()
        await other.stop()
        await other.start()
        await until(lambda: other.machine.values == values)
    assert observed.here == set()
    assert observed.elsewhere == {"chunk", "restore", "_encode"}


async def test_while_a_long_backlog_is_applied_others_get_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0
    applied_in: list[int] = []
    apply = Ledger.apply

    def noted(machine: Ledger, index: int, command: bytes) -> bytes:
        applied_in.append(rounds)
        return apply(machine, index, command)

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    used_up_at_once = replace(QUICK, apply_budget_s=-1.0)
    async with cluster(tmp_path, "a", settings=used_up_at_once) as its:
        one = await its.leader()
        values = [b"%d" % n for n in range(50)]
        await asyncio.gather(*(one.node.propose(value) for value in values))
        await one.stop()
        monkeypatch.setattr(Ledger, "apply", noted)
        counting = asyncio.get_running_loop().create_task(count_rounds())
        await one.start()
        await until(lambda: one.machine.values == values)
        counting.cancel()
    assert len(set(applied_in)) == len(values), "each in a round of the loop of its own"
