"""All that is measured of consensus, in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from benchmarks.consensus import clusters, commands, compaction, elections, nonvoters, restart


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


class Consensus(msgspec.Struct):
    """What came of it."""

    commands: commands.Commands
    elections: elections.Elections
    compaction: compaction.Compaction
    restart: restart.Restart
    nonvoters: nonvoters.Nonvoters


async def measure(folder: Path, size: Size) -> Consensus:
    """Measure everything; processes log to `folder`, data is on a disk."""
    contenders = clusters.contenders()
    return Consensus(
        await commands.measure(folder, contenders, size.seconds, size.rounds),
        await elections.measure(contenders, size.kills),
        await compaction.measure(folder, size.compacted, 2 * size.seconds),
        await restart.measure(size.restarted, size.restarts),
        await nonvoters.measure(folder, size.seconds),
    )
