"""What the report says of clusters."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.cluster.contender import CONNECT, WIRE
from benchmarks.cluster.creation import CALLERS, Creation
from benchmarks.cluster.crowding import Crowding, p99_s
from benchmarks.cluster.deciding import Deciding
from benchmarks.cluster.idling import PARTITIONS, PIPELINES, Idling
from benchmarks.cluster.restoring import Restoring
from benchmarks.cluster.turns import Took
from benchmarks.rows import Row, decimals
from tests.services.kafka import VERSION

_TEXT: Final = Path(__file__).parent.parent / "cluster.md"
_LATE_LIMIT_MS: Final = 50
_RENEWED_LIMIT_MS: Final = 300  # a tenth of what is left of a lease when it is to be renewed
_RSS_LIMIT_MIB: Final = 120
_CORES_LIMIT: Final = 0.05


def formation_rows(measured: Took) -> Iterator[Row]:
    """Yield the line on coming together."""
    yield _took_row("three nodes started to a cluster of three, s", measured)


def takeover_rows(measured: Took) -> Iterator[Row]:
    """Yield the line on going on without a node."""
    yield _took_row("node killed to all its tasks running elsewhere, s", measured)


def succession_rows(measured: Took) -> Iterator[Row]:
    """Yield the line on going on without the node that led."""
    yield _took_row("leading node killed to all its tasks running elsewhere, s", measured)


def _took_row(what: str, measured: Took) -> Row:
    took = measured.seconds[WIRE]
    rival = f"Kafka Connect {decimals(measured.seconds[CONNECT], 1)}" if CONNECT in measured.seconds else ""
    return Row(what, decimals(took, 1), rival, aim="under 10", met=took.high < 10)


def creation_rows(measured: Creation) -> Iterator[Row]:
    """Yield the lines on taking pipelines."""
    ours, theirs = measured.runs[WIRE], measured.runs.get(CONNECT)
    per_s = ours.pipelines / ours.confirmed_s
    yield Row(
        f"{ours.pipelines} pipelines created over REST, per second",
        f"{per_s:,.0f}",
        f"Kafka Connect {theirs.pipelines / theirs.confirmed_s:,.1f} (of {theirs.pipelines})" if theirs else "",
        aim="at least 100",
        met=per_s >= 100,
    )
    yield Row(
        f"{ours.pipelines} pipelines, first asked for to all running, s",
        f"{ours.running_s:.1f}",
        f"Kafka Connect, {theirs.pipelines} of them {theirs.running_s:.1f}" if theirs else "",
    )


def idling_rows(measured: Idling) -> Iterator[Row]:
    """Yield the lines on nodes that have nothing to do."""
    what = f"{PIPELINES} idle pipelines of {PARTITIONS} partitions on three nodes"
    most, fair = max(measured.tasks.values()), sum(measured.tasks.values()) / len(measured.cores)
    yield Row(
        f"{what}, tasks by node",
        " / ".join(str(measured.tasks[node]) for node in sorted(measured.tasks)),
        aim="none has 10 % more than its share",
        met=most <= 1.1 * fair,
    )
    cores = max(measured.cores)
    yield Row(f"{what}, cores of a node's own process", f"{cores:.3f}", aim="under 0.05", met=cores < _CORES_LIMIT)
    peak_mib = max(measured.peak_rss) / 2**20
    yield Row(
        f"{what}, resident memory of a node's own process",
        f"{peak_mib:.0f} MiB",
        aim=f"under {_RSS_LIMIT_MIB} MiB",
        met=peak_mib < _RSS_LIMIT_MIB,
    )


def crowding_rows(measured: Crowding) -> Iterator[Row]:
    """Yield the lines on nodes whose workers leave no core to them."""
    busy = f"workers using {measured.cores:.1f} of {measured.of} cores"
    yield _late_row(f"a node's own process late, its {busy}", "looks", measured.late, _LATE_LIMIT_MS)
    if measured.renewed is not None:
        yield _late_row(f"a node's lease renewed late, its {busy}", "renewals", measured.renewed, _RENEWED_LIMIT_MS)


def _late_row(what: str, times: str, late: Mapping[float, int], limit_ms: int) -> Row:
    late_ms = 1000 * p99_s(late)
    return Row(
        f"{what}, 99 % of {sum(late.values()):,} {times}, ms",
        f"at most {late_ms:g}",
        aim=f"under {limit_ms}",
        met=late_ms < limit_ms,
    )


def restoring_rows(measured: Restoring) -> Iterator[Row]:
    """Yield the line on starting again."""
    what = f"three nodes killed with {measured.pipelines:,} running pipelines, started again to ready, s"
    yield Row(what, f"{measured.seconds:.1f}", aim="under 5", met=measured.seconds < 5)


def deciding_rows(measured: Deciding) -> Iterator[Row]:
    """Yield the lines on the scheduler."""
    what = f"scheduler decision, {measured.nodes:,} nodes and {measured.tasks:,} tasks"
    for case, took in (("all of them new", measured.new_s), ("a node dead", measured.dead_s)):
        yield Row(f"{what}, {case}, s", decimals(took, 2), aim="under 1", met=took.high < 1)


def about() -> str:
    """Return the section that says what was measured, and how."""
    return string.Template(_TEXT.read_text()).substitute(kafka=VERSION, callers=CALLERS) + "\n"


PARTS: Final[dict[str, tuple[type[Any], Callable[[Any], Iterator[Row]]]]] = {
    "cluster_formation": (Took, formation_rows),
    "cluster_takeover": (Took, takeover_rows),
    "cluster_succession": (Took, succession_rows),
    "cluster_creation": (Creation, creation_rows),
    "cluster_idling": (Idling, idling_rows),
    "cluster_crowding": (Crowding, crowding_rows),
    "cluster_restoring": (Restoring, restoring_rows),
    "cluster_deciding": (Deciding, deciding_rows),
}
"""By the name of the result: what it is, and its lines."""
