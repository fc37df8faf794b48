"""Kafka to Kafka at a steady rate, in open loop: from when a record was meant to be sent to when it was seen.

`nothing` is the floor: the same producer and consumer with no loop in between.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from benchmarks import arithmetic
from benchmarks.arithmetic import Spread, ratios, spread
from benchmarks.comparison import check
from benchmarks.contenders import BARE, NOTHING, WIRE, kafka_command
from benchmarks.counter import Count, Counted
from benchmarks.generator import Steady, Written
from benchmarks.processes import machine_cpu_s, module, running, usage
from benchmarks.progress import say
from tests.services.kafka_client import KafkaCluster

WARM_UP_S = 5
_SLACK_S = 60.0


class Run(msgspec.Struct):
    """One run. `generator_late_ms` is how late the generator sent a record at worst, part of the latency.

    `cpu_cores` is what the contender used, `machine_cores` what everything on the machine did.
    """

    contender: str
    latency: arithmetic.Latency
    generator_late_ms: float
    cpu_cores: float
    machine_cores: float
    worst_ms: list[float]


class Figures(msgspec.Struct):
    """Percentiles in milliseconds over the runs of one contender."""

    p50: Spread
    p99: Spread
    p999: Spread
    max: Spread
    cpu_cores: Spread


class Latency(msgspec.Struct):
    """All runs in their order, at `rate` records a second for `seconds` each, warm-up not counted."""

    rate: float
    seconds: int
    runs: list[Run]
    figures: dict[str, Figures]
    wire_to_nothing_p99: Spread
    control_p99: Spread


async def measure(cluster: KafkaCluster, folder: Path, rate: float, seconds: int, rounds: int) -> Latency:
    """Let nothing, the bare loop and Wire take turns, `rounds` times each; one round of the bare loop warms up."""
    say(f"latency: warming the broker up at {rate:,.0f} records/s")
    await run(BARE, cluster, folder, rate, seconds)
    runs = []
    for turn in range(rounds):
        for contender in (NOTHING, BARE, WIRE):
            done = await run(contender, cluster, folder, rate, seconds)
            runs.append(done)
            say(
                f"latency {turn + 1}/{rounds} {contender:7} p50 {done.latency.p50:.1f}  p99 {done.latency.p99:.1f}  "
                f"p99.9 {done.latency.p999:.1f}  max {done.latency.max:.1f} ms, {done.cpu_cores:.2f} cores"
                f" of {done.machine_cores:.2f} in use"
            )
    return summarize(rate, seconds, runs)


def summarize(rate: float, seconds: int, runs: list[Run]) -> Latency:
    """Put the runs side by side."""
    by = {name: [run for run in runs if run.contender == name] for name in (NOTHING, BARE, WIRE)}
    floor = [run.latency.p99 for run in by[NOTHING]]
    return Latency(
        rate,
        seconds,
        runs,
        {name: _figures(found) for name, found in by.items()},
        spread(ratios([run.latency.p99 for run in by[WIRE]], floor)),
        spread(ratios(floor[1:], floor) or [1.0]),
    )


def _figures(runs: list[Run]) -> Figures:
    return Figures(
        spread([run.latency.p50 for run in runs]),
        spread([run.latency.p99 for run in runs]),
        spread([run.latency.p999 for run in runs]),
        spread([run.latency.max for run in runs]),
        spread([run.cpu_cores for run in runs]),
    )


async def run(contender: str, cluster: KafkaCluster, folder: Path, rate: float, seconds: int) -> Run:
    """Run one contender, or nothing, between generator and counter."""
    source = await cluster.create_topic()
    target = source if contender == NOTHING else await cluster.create_topic()
    count = int(rate * (WARM_UP_S + seconds))
    deadline_s = WARM_UP_S + seconds + _SLACK_S
    counting = Count(
        cluster.bootstrap, target, count, contender != NOTHING, warm_up=int(rate * WARM_UP_S), latencies=True
    )
    async with contextlib.AsyncExitStack() as stack:
        child = None
        if contender != NOTHING:
            command = kafka_command(contender, cluster.bootstrap, source, target, folder)
            child = await stack.enter_async_context(running(contender, command, folder))
        counter = await stack.enter_async_context(running("counter", module("counter", counting), folder))
        await counter.line(deadline_s)
        task = Steady(cluster.bootstrap, source, count, rate)
        generator = await stack.enter_async_context(running("generator", module("generator", task), folder))
        before_s = usage(child.pid).cpu_s if child else 0.0
        machine_s = machine_cpu_s()
        written = await generator.report(Written, deadline_s)
        took_s = (written.ended_ns - written.started_ns) / 1e9
        machine_s = machine_cpu_s() - machine_s
        used_s = usage(child.pid).cpu_s - before_s if child else 0.0
        counted = await counter.report(Counted, deadline_s)
    check(counted)
    for topic in {source, target}:
        await cluster.delete_topic(topic)
    assert counted.latency is not None  # noqa: S101 (checked: everything has arrived)
    return Run(contender, counted.latency, written.latest_ns / 1e6, used_s / took_s, machine_s / took_s, counted.worst)
