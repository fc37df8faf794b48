"""All that is measured of consensus, in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from benchmarks.consensus import clusters, commands, compaction, elections, nonvoters, restart
from benchmarks.processes import RunError


class Size(msgspec.Struct, frozen=True):
    """How much is done."""

    seconds: float
    rounds: int
    kills: int
    compacted: int
    restarted: int
    restarts: int


FULL: Final = Size(10, 5, 15, 1_000_000, 100_000, 5)
QUICK: Final = Size(3, 1, 3, 100_000, 20_000, 1)

Measured: TypeAlias = (
    commands.Commands | elections.Elections | compaction.Compaction | restart.Restart | nonvoters.Nonvoters
)


async def measure(folder: Path, size: Size) -> AsyncIterator[tuple[str, Measured]]:
    """Yield each result with its name as soon as it is there; processes log to `folder`, data is on a disk.

    Raises RunError.
    """
    contenders = clusters.contenders()
    try:
        yield "consensus_commands", await commands.measure(folder, contenders, size.seconds, size.rounds)
        yield "consensus_elections", await elections.measure(contenders, size.kills)
        yield "consensus_compaction", await compaction.measure(folder, size.compacted, 2 * size.seconds)
        yield "consensus_restart", await restart.measure(size.restarted, size.restarts)
        yield "consensus_nonvoters", await nonvoters.measure(folder, size.seconds)
    except TimeoutError as exc:
        raise RunError("no member led, or the one that did had no answer in time") from exc
