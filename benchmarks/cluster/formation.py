"""How long three processes need from their start until they are a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.cluster.contender import Contender, becomes
from benchmarks.progress import say

Fresh = Callable[[Path], Contender]


class Formation(msgspec.Struct):
    """By contender, seconds from spawning the processes to a cluster that survives the death of any one."""

    runs_s: dict[str, list[float]]
    seconds: dict[str, Spread]


async def measure(folder: Path, contenders: Mapping[str, Fresh], rounds: int) -> Formation:
    """Form a cluster of each contender `rounds` times, in turn, each from nothing."""
    runs_s: dict[str, list[float]] = {who: [] for who in contenders}
    for number in range(rounds):
        for who, fresh in contenders.items():
            place = folder / f"formation-{who}-{number}"
            place.mkdir()
            cluster = fresh(place)
            async with cluster.start():
                runs_s[who].append(await becomes(cluster.formed, f"a cluster of {who}"))
    for who, found in runs_s.items():
        say(f"formation {who:13}: {', '.join(f'{seconds:.1f}' for seconds in found)} s")
    return Formation(runs_s, {who: spread(found) for who, found in runs_s.items()})
