"""What the report says of consensus."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmarks.arithmetic import Spread, ratios, spread
from benchmarks.consensus.callers import KEY_BYTES, VALUE_BYTES
from benchmarks.consensus.clusters import ETCD, PYSYNCOBJ, PYSYNCOBJ_AT_ONCE, WIRE
from benchmarks.consensus.commands import MANY, Commands
from benchmarks.consensus.measured import Consensus
from benchmarks.consensus.nonvoters import Nonvoters
from benchmarks.rows import Row, decimals

_NAMES: Final = {ETCD: "etcd", PYSYNCOBJ: "pysyncobj", PYSYNCOBJ_AT_ONCE: "pysyncobj at once"}
_TEXT: Final = Path(__file__).parent.parent / "consensus.md"
_LEADER_CORES: Final = 0.8


def consensus_rows(measured: Consensus) -> Iterator[Row]:
    """Yield the lines of the table."""
    yield from _command_rows(measured.commands)
    seconds = measured.elections.seconds
    took = seconds[WIRE]
    yield Row(
        "leader killed to next confirmation, s",
        decimals(took, 2),
        _beside({who: found for who, found in seconds.items() if who != WIRE}, 2),
        aim="median under 2, all under 3",
        met=took.median < 2 and took.high < 3,
    )
    compaction = measured.compaction
    yield Row(
        f"compaction of {compaction.entries:,} commands, longest pause, ms",
        f"{compaction.pause_ms:.1f}",
        f"without compaction {compaction.idle_ms:.1f}",
        aim="under 50",
        met=compaction.pause_ms < 50,
    )
    yield Row(
        f"compaction of {compaction.entries:,} commands, longest command, ms",
        f"{compaction.latency.max:.1f}",
        f"without compaction {compaction.idle.max:.1f}",
    )
    restart = measured.restart
    yield Row(
        f"start with {restart.entries:,} entries to first read, s",
        decimals(restart.seconds, 2),
        aim="under 3",
        met=restart.seconds.high < 3,
    )
    yield from _nonvoter_rows(measured.nonvoters)


def about(measured: Consensus) -> str:
    """Return the section that says what was measured, and how."""
    commands = measured.commands
    gateway = commands.gateway_ms
    return (
        string.Template(_TEXT.read_text()).substitute(
            key_bytes=KEY_BYTES,
            value_bytes=VALUE_BYTES,
            many=MANY,
            seconds=f"{commands.seconds:g}",
            rounds=len(commands.runs) // (2 * len(commands.one)),
            sync_p50=f"{commands.sync_ms.p50:.2f}",
            sync_p99=f"{commands.sync_ms.p99:.2f}",
            gateway=f"{gateway.p50:.2f} ms" if gateway is not None else "not measured here",
            kills=len(measured.elections.runs_s[WIRE]),
            learners=measured.nonvoters.learners,
            unconfirmed=_unconfirmed(commands),
        )
        + "\n"
    )


def _command_rows(measured: Commands) -> Iterator[Row]:
    one, many = measured.one, measured.many
    rivals = [who for who in (ETCD, PYSYNCOBJ, PYSYNCOBJ_AT_ONCE) if who in one]
    p50, p99 = one[WIRE].p50_ms, many[WIRE].p99_ms
    yield Row(
        "consensus, one caller, p50, ms",
        decimals(p50, 2),
        _beside({who: one[who].p50_ms for who in rivals}, 2),
        aim="at most 2.5",
        met=p50.median <= 2.5,
    )
    yield Row(
        "consensus, one caller, p99, ms", decimals(one[WIRE].p99_ms, 1), _beside({w: one[w].p99_ms for w in rivals}, 1)
    )
    per_s = many[WIRE].per_s
    yield Row(
        f"consensus, {MANY} callers, commands/s",
        _whole(per_s),
        _beside({who: many[who].per_s for who in rivals}, 0),
        _to_etcd(measured),
        "5,000",
        per_s.median >= 5000,
    )
    yield Row(
        f"consensus, {MANY} callers, p99, ms",
        decimals(p99, 1),
        _beside({who: many[who].p99_ms for who in rivals}, 1),
        aim="at most 25",
        met=p99.median <= 25,
    )
    yield Row(
        f"consensus, {MANY} callers, commands per CPU-second of the three members",
        _whole(many[WIRE].per_cpu_s),
        _beside({who: many[who].per_cpu_s for who in rivals}, 0),
    )


def _nonvoter_rows(measured: Nonvoters) -> Iterator[Row]:
    followed, alone = measured.followed, measured.alone
    what = f"{measured.rate:.0f} commands/s with {measured.learners} non-voters"
    kept_up = followed.per_s >= 0.98 * measured.rate
    yield Row(
        f"{what}, cores of the leader",
        f"{followed.leader_cores:.2f}",
        f"without them {alone.leader_cores:.2f}",
        aim=f"all confirmed, under {_LEADER_CORES:g}",
        met=kept_up and followed.leader_cores < _LEADER_CORES,
    )
    yield Row(f"{what}, one non-voter's share, ms of CPU a second", f"{measured.cores_per_learner * 1000:.2f}")
    yield Row(
        f"{what}, p50 and p99, ms",
        f"{followed.latency.p50:.1f} and {followed.latency.p99:.1f}",
        f"without them {alone.latency.p50:.1f} and {alone.latency.p99:.1f}",
    )


def _to_etcd(measured: Commands) -> str:
    per_s = {
        who: [run.per_s for run in measured.runs if run.contender == who and run.callers == MANY]
        for who in (WIRE, ETCD)
    }
    return f"{decimals(spread(ratios(per_s[WIRE], per_s[ETCD])), 2)} (to etcd)" if per_s[ETCD] else ""


def _beside(figures: Mapping[str, Spread], places: int) -> str:
    return ", ".join(
        f"{_NAMES[who]} {decimals(found, places) if places else _whole(found)}" for who, found in figures.items()
    )


def _whole(found: Spread) -> str:
    low, median, high = (f"{value:,.0f}" for value in (found.low, found.median, found.high))
    return median if low == high else f"{median} ({low}-{high})"


def _unconfirmed(measured: Commands) -> str:
    counts = {_NAMES.get(run.contender, "Wire"): 0 for run in measured.runs}
    for run in measured.runs:
        counts[_NAMES.get(run.contender, "Wire")] += run.unconfirmed
    return ", ".join(f"{who} {count}" for who, count in counts.items())
