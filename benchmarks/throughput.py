"""Kafka to Kafka as fast as it goes: a filled topic is copied through filter and select, contenders taking turns."""

from __future__ import annotations

from pathlib import Path

from benchmarks import jobs
from benchmarks.arithmetic import window
from benchmarks.broker import watch
from benchmarks.comparison import Comparison, Run, check, take_turns
from benchmarks.contenders import kafka_command
from benchmarks.counter import Count, Counted
from benchmarks.generator import Fill, Written
from benchmarks.processes import RunError, module, running
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster

_DEADLINE_S = 300.0


async def measure(cluster: KafkaCluster, folder: Path, records: int, rounds: int) -> Comparison:
    """Fill a topic and let the contenders take turns with it, `rounds` times each, verifying every copy.

    Rates count records read, of which the filter keeps nine in ten; the first tenth is warm-up.
    """
    source = await cluster.create_topic()
    say(f"throughput: filling a topic with {records:,} records")
    await fill(cluster, source, records, folder)
    measured = await take_turns(
        "throughput", records, rounds, lambda contender, _: copy(contender, cluster, source, records, folder)
    )
    await cluster.delete_topic(source)
    return measured


async def fill(cluster: KafkaCluster, topic: str, records: int, folder: Path) -> None:
    """Write so many records to the topic."""
    task = Fill(cluster.bootstrap, topic, records)
    async with running("generator", module("generator", task), folder) as generator:
        written = await generator.report(Written, _DEADLINE_S)
    if written.count != records:
        raise RunError(f"the generator wrote {written.count} of {records} records")


async def copy(contender: str, cluster: KafkaCluster, source: str, records: int, folder: Path) -> Run:
    """Have a contender copy the topic, verify what it made, and return how fast it was."""
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


async def verify(cluster: KafkaCluster, topic: str, records: int, folder: Path, *, filtered: bool = True) -> None:
    """Read the copy and raise RunError unless it has every record the filter keeps (or all of them), once."""
    task = Count(cluster.bootstrap, topic, records, filtered)
    async with running("counter", module("counter", task), folder) as counter:
        await counter.line(_DEADLINE_S)
        counted = await counter.report(Counted, _DEADLINE_S)
    check(counted)
