"""Members whose logs are kept in other ways than by default: nothing that was confirmed is missing after a restart."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tests.integration.raft.cluster_kit import QUICK, Cluster, Host, cluster
from tests.waiting import until
from wire.raft import RaftNode
from wire.raft.storage.ports import LogStore
from wire.raft.storage.rocksdb import RocksLog

COUNT = 40
LARGE = b"x" * 2000


class RocksNode(RaftNode):
    """A member whose log is in RocksDB."""

    def _open_log(self) -> LogStore:
        folder = self._folder / "rocks"
        folder.mkdir(parents=True, exist_ok=True)
        return RocksLog(folder, str(self.me.id).encode())


async def confirm(its: Cluster) -> list[bytes]:
    leader, values = await its.leader(), [b"%d" % n + LARGE for n in range(COUNT)]
    for value in values:
        assert isinstance(await leader.node.propose(value), bytes)
    return values


async def restart(its: Cluster) -> None:
    for host in its.hosts.values():
        await host.stop()
    for host in its.hosts.values():
        await host.start()


async def have(hosts: list[Host], values: list[bytes]) -> None:
    for host in hosts:
        await until(lambda host=host: host.machine.values == values)  # type: ignore[misc]


async def test_a_log_that_is_compressed_is_read_again(tmp_path: Path) -> None:
    settings = replace(QUICK, segment_bytes=16_000, compress_segments=True)
    async with cluster(tmp_path, "a", "b", "c", settings=settings) as its:
        values = await confirm(its)
        for host in its.hosts.values():
            await until(lambda host=host: any((host.folder / "log").glob("*.zst")))  # type: ignore[misc]
        await restart(its)
        await its.leader()
        await have(list(its.hosts.values()), values)


async def test_a_cluster_may_keep_its_logs_in_rocksdb(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a", "b", "c", kind=RocksNode) as its:
        values = await confirm(its)
        await restart(its)
        leader = await its.leader()
        await have(list(its.hosts.values()), values)
        assert isinstance(await leader.node.propose(b"more"), bytes)
