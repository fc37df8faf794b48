"""Kafka to Kafka as fast as it goes: a filled topic is copied through filter and select, contenders taking turns."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks import jobs
from benchmarks.arithmetic import Spread, ratios, spread, window
from benchmarks.broker import watch
from benchmarks.contenders import BARE, WIRE, kafka_command
from benchmarks.counter import Count, Counted
from benchmarks.generator import Fill, Written
from benchmarks.processes import RunError, module, running
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster

_DEADLINE_S = 300.0


class Run(msgspec.Struct):
    """One run. Rates count records read, of which the filter keeps nine in ten; the first tenth is warm-up."""

    contender: str
    records_per_s: float
    records_per_cpu_s: float
    peak_rss_mib: float


class Throughput(msgspec.Struct):
    """All runs in their order. `control` compares each run of the bare loop with the one before it: pure noise."""

    records: int
    runs: list[Run]
    per_s: dict[str, Spread]
    per_cpu_s: dict[str, Spread]
    wire_to_bare_per_cpu_s: Spread
    control: Spread


async def measure(cluster: KafkaCluster, folder: Path, records: int, rounds: int) -> Throughput:
    """Fill a topic and let the contenders take turns with it, `rounds` times each, verifying every copy."""
    source = await cluster.create_topic()
    say(f"throughput: filling a topic with {records:,} records")
    await _fill(cluster, source, records, folder)
    runs = []
    for turn in range(rounds):
        for contender in (BARE, WIRE):
            run = await _run(contender, cluster, source, records, folder)
            runs.append(run)
            say(
                f"throughput {turn + 1}/{rounds} {contender:5} {run.records_per_s:>9,.0f}/s "
                f"{run.records_per_cpu_s:>9,.0f} per CPU-s, peak RSS {run.peak_rss_mib:.0f} MiB"
            )
    await cluster.delete_topic(source)
    return summarize(records, runs)


def summarize(records: int, runs: list[Run]) -> Throughput:
    """Put the runs side by side."""
    by = {name: [run for run in runs if run.contender == name] for name in (BARE, WIRE)}
    cost = {name: [run.records_per_cpu_s for run in found] for name, found in by.items()}
    return Throughput(
        records,
        runs,
        {name: spread([run.records_per_s for run in found]) for name, found in by.items()},
        {name: spread(found) for name, found in cost.items()},
        spread(ratios(cost[WIRE], cost[BARE])),
        spread(ratios(cost[BARE][1:], cost[BARE]) or [1.0]),
    )


async def _fill(cluster: KafkaCluster, topic: str, records: int, folder: Path) -> None:
    task = Fill(cluster.bootstrap, topic, records)
    async with running("generator", module("generator", task), folder) as generator:
        written = await generator.report(Written, _DEADLINE_S)
    if written.count != records:
        raise RunError(f"the generator wrote {written.count} of {records} records")


async def _run(contender: str, cluster: KafkaCluster, source: str, records: int, folder: Path) -> Run:
    target = await cluster.create_topic()
    total = jobs.kept(records)
    async with running(contender, kafka_command(contender, cluster.bootstrap, source, target, folder), folder) as child:
        try:
            seen = await watch(cluster, target, total, child.pid)
        except TimeoutError as exc:
            raise RunError(f"{contender}: {exc}: {child.tail()}") from None
    await verify(cluster, target, records, folder)
    await cluster.delete_topic(target)
    first, last = window(seen.samples, total)
    read = (last.count - first.count) * records / total
    wall_s = (last.t_ns - first.t_ns) / 1e9
    return Run(contender, read / wall_s, read / (last.cpu_s - first.cpu_s), seen.peak_rss / 2**20)


async def verify(cluster: KafkaCluster, topic: str, records: int, folder: Path) -> None:
    """Read the copy and raise RunError unless it has every record the filter keeps, once."""
    task = Count(cluster.bootstrap, topic, records)
    async with running("counter", module("counter", task), folder) as counter:
        await counter.line(_DEADLINE_S)
        counted = await counter.report(Counted, _DEADLINE_S)
    check(counted)


def check(counted: Counted) -> None:
    """Raise RunError unless everything arrived once."""
    if counted.missing or counted.repeated or counted.unexpected:
        raise RunError(
            f"wrong records at the destination: {counted.missing} missing, {counted.repeated} repeated, "
            f"{counted.unexpected} unexpected"
        )
