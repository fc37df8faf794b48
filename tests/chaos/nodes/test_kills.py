"""Nodes and workers that are killed, frozen and restarted under two routes: nothing is missing, nothing goes back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.nodes.trial import DOCUMENTS, FAULT_S, MARKS, SCALE, Trial
from tests.waiting import until

KILLS = round(2 * SCALE)

pytestmark = [*MARKS, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def owner(trial: Trial) -> str:
    """Who moves the documents."""
    return (await trial.cluster.owners(DOCUMENTS))[0]


async def kill_and_start(trial: Trial, *names: str) -> None:
    await trial.cluster.kill(*names)
    if len(trial.cluster.connected) > 1:
        await trial.advances(f"without {', '.join(names)}")
    await trial.cluster.start(*names)


async def test_the_leader_is_killed(trial: Trial) -> None:
    async with trial.going_on():
        await kill_and_start(trial, await trial.cluster.leader())


async def test_the_owner_of_a_task_is_killed(trial: Trial) -> None:
    async with trial.going_on():
        await kill_and_start(trial, await owner(trial))


async def test_two_nodes_are_killed(trial: Trial) -> None:
    async with trial.going_on():
        await kill_and_start(trial, *trial.rng.sample(trial.cluster.up, 2))


async def test_all_nodes_are_killed(trial: Trial) -> None:
    async with trial.going_on():
        await kill_and_start(trial, *trial.cluster.up)


async def test_a_worker_is_killed(trial: Trial) -> None:
    async with trial.going_on():
        node = trial.cluster.nodes[await owner(trial)]
        before = node.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: pid not in node.workers())  # type: ignore[misc]


@pytest.mark.parametrize("workers", [True, False])
async def test_the_owner_of_a_task_is_frozen_for_longer_than_its_lease(trial: Trial, workers: bool) -> None:
    async with trial.going_on():
        name = await owner(trial)
        with trial.cluster.freezing(name) as its:
            frozen_s = time.monotonic()
            still = [trial.cluster.nodes[name].process.pid, *(its if workers else [])]
            for pid in set(its).difference(still):
                os.kill(pid, signal.SIGCONT)
            await trial.advances("while its owner was frozen")
            await asyncio.sleep(frozen_s + FAULT_S - time.monotonic())  # the length of the fault
            assert all(state_of(pid) == "T" for pid in still)
            frozen_s = time.monotonic() - frozen_s
        print(f"frozen for {frozen_s:.1f} s")
        assert frozen_s >= 30 or SCALE < 3


def state_of(pid: int) -> str:
    """The state of a process: T while it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_nodes_are_restarted_one_after_the_other(trial: Trial) -> None:
    async with trial.going_on():
        for name in trial.cluster.up:
            node = trial.cluster.nodes[name]
            assert await node.stop() == 0
            assert not re.search("tasks_not_released|leadership_not_handed_over|not_all_handed_over", node.said)
            await trial.cluster.start(name)


@pytest.mark.long
async def test_nodes_are_killed_at_random_moments(trial: Trial) -> None:
    async with trial.going_on():
        for _ in range(KILLS):
            await asyncio.sleep(trial.rng.uniform(0, 2))  # the moment of the fault
            victim = trial.rng.choice(trial.cluster.up)
            await trial.cluster.kill(victim)
            await asyncio.sleep(trial.rng.uniform(0, 2))  # the length of the fault
            await trial.cluster.start(victim)
