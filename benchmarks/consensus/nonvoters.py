"""What a leader's members without a vote cost it: a hundred of them, at a steady rate of commands, beside none."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.arithmetic import Latency
from benchmarks.consensus import stubs
from benchmarks.consensus.callers import Called, Steady
from benchmarks.consensus.clusters import CLUSTER, disk_folder, wire_cluster
from benchmarks.consensus.store import Store
from benchmarks.processes import RunError, module, running
from benchmarks.progress import say
from tests.services.consensus import found, seats
from tests.services.ports import free_ports

RATE: Final = 500.0
LEARNERS: Final = 100
_WARM_UP_S: Final = 3.0
_DEADLINE_S: Final = 120.0


class Load(msgspec.Struct):
    """At the steady rate: what the callers saw, and how much of a core the leader used."""

    latency: Latency
    per_s: float
    leader_cores: float


class Nonvoters(msgspec.Struct):
    """The leader with so many learners, and without."""

    rate: float
    learners: int
    alone: Load
    followed: Load

    @property
    def cores_per_learner(self) -> float:
        """Return what one learner costs the leader at this rate, in cores."""
        return (self.followed.leader_cores - self.alone.leader_cores) / self.learners


async def measure(folder: Path, seconds: float) -> Nonvoters:
    """Run without learners, then with all of them."""
    loads = {}
    for learners in (0, LEARNERS):
        load = loads[learners] = await _run(learners, seconds, folder)
        say(
            f"{learners:3} learners: {load.per_s:.0f} commands/s, p50 {load.latency.p50:.2f}, "
            f"p99 {load.latency.p99:.2f} ms, {load.leader_cores:.2f} cores of the leader"
        )
    return Nonvoters(RATE, LEARNERS, loads[0], loads[LEARNERS])


async def _run(learners: int, seconds: float, folder: Path) -> Load:
    async with AsyncExitStack() as stack:
        disk = Path(stack.enter_context(disk_folder()))
        addresses = {f"v{port}": f"127.0.0.1:{port}" for port in free_ports(3 + learners)}
        taken = seats(disk, CLUSTER, addresses)
        voters, others = taken[:3], taken[3:]
        found(voters, Store, others)
        cluster = await stack.enter_async_context(wire_cluster(voters, disk))
        if others:
            start = stubs.Start(others, [seat.member for seat in voters])
            child = await stack.enter_async_context(running("stubs", module("consensus.stubs", start), folder))
            await child.line(_DEADLINE_S)
        leader = await cluster.leader()
        task = Steady(cluster.addresses, RATE, seconds, _WARM_UP_S)
        callers = await stack.enter_async_context(running("callers", module("consensus.callers", task), folder))
        await callers.line(_DEADLINE_S)
        await asyncio.sleep(_WARM_UP_S)
        before_s = cluster.member_cpu_s(leader)
        await asyncio.sleep(seconds)
        used_s = cluster.member_cpu_s(leader) - before_s
        called = await callers.report(Called, _DEADLINE_S)
        if await cluster.leader() != leader:
            raise RunError("another member leads than did: the machine has too much else to do for a figure")
    return Load(called.latency, called.per_s, used_s / seconds)
