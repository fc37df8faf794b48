"""How long three processes need from their start until they are a cluster that survives the death of any one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.cluster.contender import Contender, becomes
from benchmarks.cluster.turns import Fresh, Took, in_turn


async def measure(folder: Path, contenders: Mapping[str, Fresh], rounds: int) -> Took:
    """Form a cluster of each contender `rounds` times."""
    return await in_turn("formation", folder, contenders, rounds, _form)


async def _form(cluster: Contender, who: str) -> float:
    return await becomes(cluster.formed, f"a cluster of {who}")
