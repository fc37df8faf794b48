"""The same measured of each contender in turn, every time on a cluster that begins with nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.cluster.contender import Contender
from benchmarks.progress import say

C = TypeVar("C", bound=Contender)

Fresh = Callable[[Path], Contender]
"""Makes a cluster in a folder; nothing of it is started."""


class Took(msgspec.Struct):
    """By contender, how many seconds something took in each run."""

    runs_s: dict[str, list[float]]
    seconds: dict[str, Spread]


async def in_turn(
    what: str,
    folder: Path,
    contenders: Mapping[str, Callable[[Path], C]],
    rounds: int,
    one: Callable[[C, str], Awaitable[float]],
) -> Took:
    """Return how long `one` says that it took, `rounds` times of each contender, while its cluster runs."""
    runs_s: dict[str, list[float]] = {who: [] for who in contenders}
    for number in range(rounds):
        for who, fresh in contenders.items():
            place = folder / f"{what}-{who}-{number}"
            place.mkdir()
            cluster = fresh(place)
            async with cluster.start():
                runs_s[who].append(await one(cluster, who))
    for who, found in runs_s.items():
        say(f"{what} {who:13}: {', '.join(f'{seconds:.1f}' for seconds in found)} s")
    return Took(runs_s, {who: spread(found) for who, found in runs_s.items()})
