"""How long nobody leads after the leader is killed, with every setting left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.arithmetic import Spread, spread
from benchmarks.consensus.callers import Client, connect
from benchmarks.consensus.clusters import PYSYNCOBJ_AT_ONCE, Cluster, fresh
from benchmarks.progress import say

_EVERY_S: Final = 0.01
_SETTLE_S: Final = 2.0
_DEADLINE_S: Final = 60.0


class Elections(msgspec.Struct):
    """By contender, seconds from each SIGKILL of the leader to the first command that the others confirm."""

    runs_s: dict[str, list[float]]
    seconds: dict[str, Spread]


async def measure(contenders: Sequence[str], kills: int) -> Elections:
    """Kill each contender's leader so many times."""
    runs_s = {}
    for contender in contenders:
        if contender == PYSYNCOBJ_AT_ONCE:
            continue  # elects as the other does
        async with fresh(contender) as cluster:
            runs_s[contender] = [await _kill(cluster) for _ in range(kills)]
        say(f"elections {contender:9}: {', '.join(f'{seconds:.2f}' for seconds in runs_s[contender])} s")
    return Elections(runs_s, {contender: spread(found) for contender, found in runs_s.items()})


async def _kill(cluster: Cluster) -> float:
    """Kill the leader, return how long it took, and start it again."""
    leader = await cluster.leader()
    await asyncio.sleep(_SETTLE_S)  # who was started again has caught up
    others = [address for place, address in enumerate(cluster.addresses) if place != leader]
    clients = [await connect(address, etcd=cluster.is_etcd) for address in others]
    killed_at = time.monotonic()
    cluster.kill(leader)
    confirmed_at = await _first_confirmed(clients)
    for client in clients:
        await client.close()
    await cluster.start(leader)
    return confirmed_at - killed_at


async def _first_confirmed(clients: list[Client]) -> float:
    """Ask everybody for something new again and again, and return when the first of it was confirmed."""
    first: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def ask(client: Client) -> None:
        if await client.put(b"after", b"") and not first.done():
            first.set_result(time.monotonic())

    async with asyncio.timeout(_DEADLINE_S), asyncio.TaskGroup() as group:
        asking = []
        while not first.done():
            asking += [group.create_task(ask(client)) for client in clients]
            await asyncio.wait([first], timeout=_EVERY_S)
        for task in asking:
            task.cancel()
    return first.result()
