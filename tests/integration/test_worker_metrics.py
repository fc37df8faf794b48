"""What workers count reaches the node, stays whatever becomes of them, and goes with its pipeline."""

from __future__ import annotations

from pathlib import Path

from tests.integration.workers_kit import Cluster, endless, kill, slowly
from tests.unit.node.metrics.kit import shown
from tests.waiting import until
from wire.cluster.state import PipelineKey
from wire.node.metrics.sheet import Sheet

READ = "wire_source_records_total{component=generate,namespace=default,pipeline=counted}"
WRITTEN = "wire_sink_records_total{component=file,namespace=default,pipeline=counted}"


def scraped(cluster: Cluster) -> dict[str, float]:
    sheet = Sheet()
    cluster.tally.put_on(sheet, cluster.supervisor.moving())
    return shown(sheet)


async def test_counters_never_go_back_though_workers_are_killed(tmp_path: Path) -> None:
    cluster, seen = Cluster(), [0.0]

    def rises() -> bool:
        now = scraped(cluster).get(READ, 0.0)
        assert now >= seen[-1]
        seen.append(now)
        return now > seen[0]

    async with cluster.running():
        run = cluster.begin(slowly("counted", 8000, tmp_path / "out.jsonl"), "generate")
        for _ in range(2):
            seen = [seen[-1]]
            await until(rises)
            (pid,) = await cluster.pids()
            losses = len(cluster.lost)
            kill(pid)
            await until(lambda losses=losses: rises() is not None and len(cluster.lost) > losses)  # type: ignore[misc]
        await cluster.over(run.task)
        found = scraped(cluster)
    assert found[READ] >= 8000
    assert 0 < found[WRITTEN] <= found[READ]
    assert found[WRITTEN.replace("records_total", "write_seconds_count")] > 0


async def test_a_deleted_pipeline_takes_its_series_with_it() -> None:
    cluster = Cluster()
    async with cluster.running():
        run = cluster.begin(endless("counted"), "generate")
        await until(lambda: cluster.read(run) > 0)
        assert READ in scraped(cluster)
        cluster.pipelines.remove(PipelineKey("default", "counted"))
        assert READ not in scraped(cluster)
        await cluster.supervisor.drain(10)
        cluster.begin(endless("counted"), "generate")  # one of the same name begins anew
        assert READ not in scraped(cluster)


async def test_what_looks_for_partitions_is_no_task_that_moves_records(tmp_path: Path) -> None:
    cluster = Cluster()
    async with cluster.running():
        cluster.discover(endless("counted"))
        cluster.begin(endless("counted"), "generate")
        await until(lambda: bool(cluster.found))
        tasks = {name: count for name, count in scraped(cluster).items() if name.startswith("wire_pipeline_tasks")}
        assert sum(tasks.values()) == 1
