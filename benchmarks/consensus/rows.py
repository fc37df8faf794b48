"""What the report says of consensus."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.arithmetic import Spread, ratios, spread
from benchmarks.consensus.callers import KEY_BYTES, VALUE_BYTES
from benchmarks.consensus.clusters import ETCD, PYSYNCOBJ, PYSYNCOBJ_AT_ONCE, WIRE
from benchmarks.consensus.commands import MANY, Commands
from benchmarks.consensus.compaction import Compaction
from benchmarks.consensus.elections import Elections
from benchmarks.consensus.nonvoters import Nonvoters
from benchmarks.consensus.restart import Restart
from benchmarks.rows import Row, decimals

_NAMES: Final = {ETCD: "etcd", PYSYNCOBJ: "pysyncobj", PYSYNCOBJ_AT_ONCE: "pysyncobj at once"}
_TEXT: Final = Path(__file__).parent.parent / "consensus.md"
_LEADER_CORES: Final = 0.8


def election_rows(measured: Elections) -> Iterator[Row]:
    """Yield the lines on who leads next."""
    took = measured.seconds[WIRE]
    yield Row(
        "leader killed to next confirmation, s",
        decimals(took, 2),
        _beside({who: found for who, found in measured.seconds.items() if who != WIRE}, 2),
        aim="median under 2, all under 3",
        met=took.median < 2 and took.high < 3,
    )


def compaction_rows(measured: Compaction) -> Iterator[Row]:
    """Yield the lines on pauses."""
    what = f"compaction of {measured.entries:,} commands"
    yield Row(
        f"{what}, longest pause, ms",
        f"{measured.pause_ms:.1f}",
        f"without compaction {measured.idle_ms:.1f}",
        aim="under 50",
        met=measured.pause_ms < 50,
    )
    yield Row(
        f"{what}, longest command, ms", f"{measured.latency.max:.1f}", f"without compaction {measured.idle.max:.1f}"
    )


def restart_rows(measured: Restart) -> Iterator[Row]:
    """Yield the line on starting."""
    what = f"start with {measured.entries:,} entries to first read, s"
    yield Row(what, decimals(measured.seconds, 2), aim="under 3", met=measured.seconds.high < 3)


def about(measured: Commands) -> str:
    """Return the section that says what was measured, and how."""
    gateway = measured.gateway_ms
    text = string.Template(_TEXT.read_text()).substitute(
        key_bytes=KEY_BYTES,
        value_bytes=VALUE_BYTES,
        many=MANY,
        seconds=f"{measured.seconds:g}",
        rounds=len(measured.runs) // (2 * len(measured.one)),
        sync_p50=f"{measured.sync_ms.p50:.2f}",
        sync_p99=f"{measured.sync_ms.p99:.2f}",
        gateway=f"{gateway.p50:.2f} ms" if gateway is not None else "a time that was not measured here",
        unconfirmed=_unconfirmed(measured),
    )
    return text + "\n"


def command_rows(measured: Commands) -> Iterator[Row]:
    """Yield the lines on how fast commands are confirmed."""
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


def nonvoter_rows(measured: Nonvoters) -> Iterator[Row]:
    """Yield the lines on members without a vote."""
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


COMMANDS: Final = "consensus_commands"
PARTS: Final[dict[str, tuple[type[Any], Callable[[Any], Iterator[Row]]]]] = {
    COMMANDS: (Commands, command_rows),
    "consensus_elections": (Elections, election_rows),
    "consensus_compaction": (Compaction, compaction_rows),
    "consensus_restart": (Restart, restart_rows),
    "consensus_nonvoters": (Nonvoters, nonvoter_rows),
}
"""By the name of the result: what it is, and its lines."""
