"""Members killed, frozen and cut off while clients are at work: nothing confirmed is lost, and reads are current."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.raft_cluster import Process, Processes
from tests.services.hosts import hosts
from tests.sim.raft.history import History
from tests.waiting import comes_true, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

SECONDS = float(os.environ.get("WIRE_CHAOS_RAFT_SECONDS", "8"))
CLIENTS = 8
LEAST_PER_S = 3  # confirmed values below which a run shows little, also where most of the time nobody can lead


Fault = Callable[[Processes, random.Random], Awaitable[None]]


@asynccontextmanager
async def running(processes: Processes) -> AsyncIterator[Processes]:
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()


class Clients:
    """Callers that propose values to any member, again where it is not known what became of one, and read."""

    def __init__(self, processes: Processes, rng: random.Random) -> None:
        self._members = processes.members
        self._rng = rng
        self._values = itertools.count()
        self.history = History()
        self._over = False

    async def work(self) -> None:
        while not self._over:
            value = f"v{next(self._values)}"
            self.history.proposed(value.encode())
            for _ in range(3):
                answer = await self._rng.choice(self._members).ask(value)
                if answer.place is not None:
                    self.history.confirmed_at(value.encode(), answer.place)
                    break
                await asyncio.sleep(0.05)
            if self._rng.random() < 0.2:
                await self._read()

    async def _read(self) -> None:
        began = self.history.began()
        answer = await self._rng.choice(self._members).ask(None)
        if answer.values is not None:
            self.history.read([value.encode() for value in answer.values], began)

    def end(self) -> None:
        self._over = True


async def killed(processes: Processes, rng: random.Random) -> None:
    """End one, two or all of them, and start them again."""
    victims = rng.sample(processes.members, rng.choice([1, 1, 2, 3]))
    for each in victims:
        await each.kill()
    await asyncio.sleep(rng.uniform(0, 0.5))  # the length of the fault
    for each in victims:
        await each.start()
    await asyncio.sleep(rng.uniform(0.5, 2))


async def frozen(processes: Processes, rng: random.Random) -> None:
    """Stop who leads until another one does, and let it go on with what it believed: it has to learn who leads."""
    victim, term = await leading(processes.members, after=0)
    victim.send(signal.SIGSTOP)
    await leading([each for each in processes.members if each is not victim], after=term)
    await asyncio.sleep(rng.uniform(0, 0.5))  # the length of the fault
    victim.send(signal.SIGCONT)
    await comes_true(partial(_leads_no_more, victim, term))


async def _leads_no_more(process: Process, term: int) -> bool:
    return await process.leads_in() != term


async def leading(processes: Sequence[Process], after: int) -> tuple[Process, int]:
    """Wait until one of these leads in a later term, and return it and the term."""
    async with asyncio.timeout(60):
        while True:
            terms = [(await process.leads_in() or 0, process) for process in processes]
            term, process = max(terms, key=lambda pair: pair[0])
            if term > after:
                return process, term
            await asyncio.sleep(0.05)


def sealed(folder: Path) -> Path | None:
    """A segment of the log that is not written to any more."""
    return next(iter(sorted((folder / "log").glob("*.wal"))[:-1]), None)


def newest(folder: Path) -> Path | None:
    """The segment that is written to, if there is a little in it."""
    return _with_content(max((folder / "log").glob("*.wal"), default=None))


def snapshot(folder: Path) -> Path | None:
    """The newest snapshot, if it is one of a state."""
    return _with_content(max((each for each in (folder / "snapshots").iterdir() if not each.suffix), default=None))


def _with_content(file: Path | None) -> Path | None:
    with suppress(FileNotFoundError):  # it was removed meanwhile
        return file if file is not None and file.stat().st_size > 1000 else None
    return None


async def damaged(processes: Processes, rng: random.Random) -> None:
    """Flip a bit on the disk of one after the other, each in a file of another kind; it has to begin anew."""
    kinds = [sealed, newest, snapshot]
    for victim, kind in zip(list(processes.members), rng.sample(kinds, len(kinds)), strict=True):
        file = await killed_with(victim, kind)
        content = bytearray(file.read_bytes())
        at = len(content) // 2
        content[at] ^= 1 << rng.randrange(8)
        file.write_bytes(content)
        said = await victim.refusal()
        named = re.search(rf"raft\.storage\.damaged: {re.escape(str(file))} is damaged at \w+ (\d+)", said)
        assert named, said[-2000:]
        assert int(named[1]) <= at
        await processes.start_anew(victim)


async def killed_with(victim: Process, kind: Callable[[Path], Path | None]) -> Path:
    """Kill a member as soon as it has a file of a kind, and return that."""
    while True:
        await until(lambda: kind(victim.folder) is not None, 60)
        await victim.kill()
        file = kind(victim.folder)
        if file is not None:
            return file
        await victim.start()


@pytest.mark.parametrize("fault", [killed, frozen, damaged])
async def test_what_was_confirmed_is_there_whoever_dies(tmp_path: Path, fault: Fault) -> None:
    async with running(Processes(tmp_path, "abc")) as processes:
        await ordeal(processes, fault)


async def test_what_was_confirmed_is_there_whoever_is_cut_off(tmp_path: Path) -> None:
    with hosts("abc") as network:

        async def cut_off(_: Processes, rng: random.Random) -> None:
            one, *others = rng.sample("abc", 3)
            cut, mend = rng.choice(
                [
                    (partial(network.pull, one), partial(network.plug, one)),
                    (partial(network.mute, one, *others), partial(network.unmute, one, *others)),
                    (partial(network.mute, one, others[0]), partial(network.unmute, one, others[0])),
                ]
            )
            cut()
            await asyncio.sleep(rng.uniform(0.5, 4))  # the length of the fault
            mend()
            await asyncio.sleep(rng.uniform(0.2, 1))

        async with running(Processes(tmp_path, "abc", network)) as processes:
            await ordeal(processes, cut_off)


async def ordeal(processes: Processes, fault: Fault) -> None:
    """Let clients work while the fault strikes again and again; then check everything they were told."""
    seed = random.SystemRandom().randrange(1 << 31)
    rng = random.Random(seed)
    print(f"seed {seed}")
    clients = Clients(processes, rng)
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(clients.work())
        began = ended = asyncio.get_running_loop().time()
        while ended < began + SECONDS:
            await fault(processes, rng)
            ended = asyncio.get_running_loop().time()
        clients.end()
    dumps = [await everything(process) for process in processes.members]
    assert dumps[0] == dumps[1] == dumps[2]
    clients.history.end([value.encode() for value in dumps[0]])
    confirmed, seconds = len(clients.history.confirmed), ended - began
    print(f"{confirmed} values and {clients.history.reads} reads in {seconds:.0f} s")
    assert confirmed >= LEAST_PER_S * seconds, f"the run shows little: {confirmed} values in {seconds:.0f} s"


async def everything(process: Process) -> list[str]:
    async with asyncio.timeout(180):
        while True:
            answer = await process.ask(None)
            if answer.values is not None:
                return answer.values
