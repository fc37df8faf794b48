"""Workers that do not last, in virtual time: another one follows, ever later, and soon again once one has lasted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import cast

import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from wire.cluster.commands import TaskCheckpoints
from wire.core.errors import FatalError
from wire.node.supervisor import Supervisor, TaskOwner, WorkerSettings
from wire.node.supervisor import supervisor as module
from wire.node.supervisor.process import LostError, WorkerProcess
from wire.worker.protocol import Refusal

CEILINGS_S = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]


class Nobody:
    """Owns no tasks."""

    async def commit(self, tasks: Sequence[TaskCheckpoints]) -> Sequence[Refusal | None]:
        return [None for _ in tasks]


class Longest(random.Random):
    """Draws the most there is."""

    def uniform(self, _a: float, b: float) -> float:
        return b


class Place:
    """Where one worker follows another: they live as long as is said here, and then comes one that lives for ever."""

    def __init__(self, *lives_s: float) -> None:
        self._lives_s = list(lives_s)
        self._begun_s: list[float] = []
        self._ended_s: list[float] = []
        self.lasts = asyncio.Event()

    async def live(self) -> None:
        time = asyncio.get_running_loop().time
        self._begun_s.append(time())
        if not self._lives_s:
            self.lasts.set()
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self._lives_s.pop(0))
        self._ended_s.append(time())

    @property
    def pauses_s(self) -> list[float]:
        """How long there was no worker, each time."""
        return [round(begun - ended, 6) for begun, ended in zip(self._begun_s[1:], self._ended_s, strict=True)]


async def restarted(monkeypatch: pytest.MonkeyPatch, rng: random.Random, *places: Place) -> None:
    """Have a supervisor keep workers at these places until each has one that lasts."""

    class Mortal(WorkerProcess):
        async def run(self) -> FatalError:
            await places[self.number].live()
            return LostError("worker.exited", "it has died")

    monkeypatch.setattr(module, "WorkerProcess", Mortal)
    supervisor = Supervisor(cast(TaskOwner, Nobody()), WorkerSettings(count=len(places)), LoopClock(), rng)
    async with supervisor.running():
        for place in places:
            await place.lasts.wait()
        assert [each.losses for each in supervisor.workers()] == [len(place.pauses_s) for place in places]


@in_virtual_time
async def test_who_does_not_last_is_followed_ever_later_and_after_half_a_minute_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(*[1.0] * len(CEILINGS_S))
    await restarted(monkeypatch, Longest(), place)
    assert place.pauses_s == CEILINGS_S


@in_virtual_time
async def test_who_has_lasted_longer_than_a_minute_is_followed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(0, 0, 0, 60, 61, 0)
    await restarted(monkeypatch, Longest(), place)
    assert place.pauses_s == [0.2, 0.4, 0.8, 1.6, 0.2, 0.4]


@in_virtual_time
async def test_a_place_does_not_wait_for_the_deaths_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    shaky, calm = Place(*[0.0] * 7), Place(10.0, 0.0)
    await restarted(monkeypatch, Longest(), shaky, calm)
    assert (shaky.pauses_s, calm.pauses_s) == (CEILINGS_S[:7], CEILINGS_S[:2])


@in_virtual_time
async def test_those_that_die_together_do_not_come_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [Place(*[0.0] * len(CEILINGS_S)) for _ in range(4)]
    await restarted(monkeypatch, random.Random(1), *places)
    for pauses_s in zip(*(place.pauses_s for place in places), strict=True):
        assert len(set(pauses_s)) == len(places)
    for place in places:
        assert all(0 <= pause_s <= most_s for pause_s, most_s in zip(place.pauses_s, CEILINGS_S, strict=True))
