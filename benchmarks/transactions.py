"""What exactly once costs: one pipeline from Kafka to Kafka, with transactions and without, taking turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.arithmetic import Spread, ratios, spread
from benchmarks.comparison import Run
from benchmarks.progress import say
from benchmarks.rows import Row, decimals, thousands
from benchmarks.throughput import copy, fill
from tests.services.kafka_client import KafkaCluster

NAME: Final = "transactions"
_TURNS: Final = ("at_least_once", "exactly_once")
_AIM: Final = 0.6


class Transactions(msgspec.Struct):
    """All runs in their order, and the ratios of those beside each other. `control` compares runs without: noise."""

    records: int
    runs: list[Run]
    per_s: dict[str, Spread]
    exactly_to_at_least_once: Spread
    control: Spread


async def measure(cluster: KafkaCluster, folder: Path, records: int, rounds: int) -> Transactions:
    """Fill a topic and copy it in turns, `rounds` times each way, verifying every copy.

    Rates are as those of the copy by any contender (`throughput`).
    """
    source = await cluster.create_topic()
    say(f"{NAME}: filling a topic with {records:,} records")
    await fill(cluster, source, records, folder)
    runs = []
    for turn in range(rounds):
        for delivery in _TURNS:
            done = await copy(delivery, cluster, source, records, folder)
            runs.append(done)
            say(f"{NAME} {turn + 1}/{rounds} {delivery:13} {done.records_per_s:>9,.0f}/s")
    await cluster.delete_topic(source)
    rates = {name: [run.records_per_s for run in runs if run.contender == name] for name in _TURNS}
    without, with_ = (rates[name] for name in _TURNS)
    return Transactions(
        records,
        runs,
        {name: spread(found) for name, found in rates.items()},
        spread(ratios(with_, without)),
        spread(ratios(without[1:], without) or [1.0]),
    )


def rows(measured: Transactions) -> Iterator[Row]:
    """Return what the table says of it."""
    without, with_ = (measured.per_s[name] for name in _TURNS)
    ratio = measured.exactly_to_at_least_once
    yield Row(
        "Kafka → Kafka exactly once, records/s",
        thousands(with_),
        f"at least once {thousands(without)}",
        decimals(ratio, 2),
        f"{_AIM} of at least once",
        ratio.median >= _AIM,
    )
