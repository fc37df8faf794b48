"""The process dies at every step it takes on the file system; nothing that was stored is lost, nothing comes twice."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sinks.file.support import Pipeline, batch, finished, unfinished

STEPS = ("copy_file_range", "fsync", "listdir", "mkdir", "open", "pwrite", "rename", "stat", "truncate", "unlink")


class Killed(BaseException):
    """The process is gone: from here on it does nothing any more."""


class Death:
    """Lets so many steps pass, then kills: before the next one, after it, or, in a write, in the middle."""

    def __init__(self, steps: int, rng: random.Random) -> None:
        self.steps = steps
        self.dead = False
        self._rng = rng
        self._descriptors: list[int] = []
        self._synced: dict[int, int] = {}

    def cut_power(self, folder: Path) -> None:
        """Take away what was written and never flushed."""
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_size > (size := self._synced.get(path.stat().st_ino, 0)):
                os.truncate(path, size)

    @contextlib.contextmanager
    def over(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Hold sway over all steps."""
        with monkeypatch.context() as patch:
            for name in STEPS:
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            with contextlib.suppress(Killed):
                yield
        for descriptor in self._descriptors:  # as the kernel does
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _wrapped(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            if self.dead:
                raise Killed
            self.steps -= 1
            self.dead = self.steps < 0
            if not self.dead or self._rng.random() < 0.5:
                if self.dead and name == "pwrite":
                    args = (args[0], args[1][: len(args[1]) // 2], *args[2:])
                result = step(*args, **kwargs)
                if name == "open":
                    self._descriptors.append(result)
                if name == "fsync":
                    self._synced[os.fstat(args[0]).st_ino] = os.fstat(args[0]).st_size
            if self.dead:
                raise Killed
            return result

        return run


class World:
    """A pipeline with numbered records, and what of them its checkpoints cover."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.written = 0
        self.covered = 0
        self._computed = "directory" in config
        self.pipeline = Pipeline(**config)

    async def life(self, checkpoints: int) -> None:
        """One whole run, from the last checkpoint on."""
        writer = await self.pipeline.open()
        self.written = self.covered
        for number in range(checkpoints):
            for count in (1, 2):
                await writer.write([self._next(count)])
            await self.pipeline.commit(writer)
            self.covered = self.written
            if number % 3 != 2:  # the third time the process does not come to it before it writes on
                await writer.committed()
        await writer.committed()
        await writer.close()

    def _next(self, count: int) -> Any:
        numbers = range(self.written, self.written + count)
        self.written += count
        paths = [f"{'deep/' * (n % 2)}f{n % 3}" for n in numbers] if self._computed else None
        return batch(*[b"record %d" % n for n in numbers], paths=paths)

    def check(self, where: str) -> None:
        """Expect exactly what the checkpoints cover, each file in order, and nothing temporary."""
        files = finished(self.folder)
        for name, data in files.items():
            numbers = [int(line.split()[1]) for line in data.splitlines()]
            assert numbers == sorted(numbers), f"{where}: {name} is in order"
        found = sorted(int(line.split()[1]) for data in files.values() for line in data.splitlines())
        assert found == list(range(self.covered)), f"{where}: every record once"


CONFIGS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "single": lambda folder: {"path": str(folder / "out" / "a")},
    "single-gzip": lambda folder: {"path": str(folder / "out" / "a.gz")},
    "rotated": lambda folder: {"path": str(folder / "out" / "a"), "rotate": {"max_records": 4}},
    "computed": lambda folder: {"path": {"expr": "x"}, "directory": str(folder / "out"), "max_open_files": 2},
}


@pytest.fixture(params=CONFIGS)
def config(request: pytest.FixtureRequest) -> Callable[[Path], dict[str, Any]]:
    return CONFIGS[request.param]


@pytest.mark.parametrize("power", ["stays", "is cut"])
async def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[[Path], dict[str, Any]], power: str
) -> None:
    rng = random.Random(1)
    for steps in range(1000):
        world = World(tmp_path / str(steps), config(tmp_path / str(steps)))
        death = Death(steps, rng)
        with death.over(monkeypatch):
            await world.life(4)
        if power == "is cut":
            death.cut_power(world.folder)
        knew_nothing = world.pipeline.stored is None
        await world.life(1)
        world.check(f"killed at step {steps}")
        # what looks committed, to one who has no checkpoint, may be somebody's: it stays
        assert [path for path in unfinished(world.folder) if not (knew_nothing and path.suffix == ".part")] == []
        if not death.dead:
            break
    assert steps > 30


@pytest.mark.parametrize("seed", range(8))
async def test_kills_in_recovery_of_recovery_lose_nothing_and_repeat_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Callable[[Path], dict[str, Any]], seed: int
) -> None:
    rng = random.Random(seed)
    world = World(tmp_path, config(tmp_path))
    for life in range(30):
        with Death(rng.choice((rng.randrange(12), rng.randrange(100))), rng).over(monkeypatch):
            await world.life(3)
        if rng.random() < 0.2:
            await world.life(1)
            world.check(f"seed {seed}, life {life}")
    await world.life(1)
    world.check(f"seed {seed}, at the end")


async def test_a_part_on_a_machine_that_was_left_is_still_there_when_it_is_come_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoints went on elsewhere, and nobody has finished it: what was committed to it is nowhere else."""
    life = Pipeline(path="out/n.jsonl", rotate={"max_records": 100})
    for machine in ("a", "b", "a"):
        (tmp_path / machine).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / machine)
        writer = await life.open()
        await writer.write([batch(machine.encode())])
        await life.checkpoint(writer)  # and dies
    first, *_ = sorted((tmp_path / "a" / "out").glob("*-000001.jsonl.*.part"))
    assert first.read_bytes() == b"a\n"
