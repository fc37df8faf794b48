"""The engine against a world that fails at random, in virtual time: a few runs under faults, a calm one, and a look."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

from structlog.testing import capture_logs

from tests.sim.engine.world import KINDS, SimSink, SimSource, SimStage, SimStore, World, sim_sink
from tests.sim.loop import LoopClock, SimLoop
from wire.core.errors import FatalError, RestartError, root_cause
from wire.core.records import PartitionId, PartitionKey
from wire.core.units import Duration, Rate, Size
from wire.pipelines.engine.assembly import Parts, SinkPart, SourcePart, opened
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.runner import Runner
from wire.pipelines.spec import (
    BatchSpec,
    BreakerSpec,
    BufferSpec,
    CheckpointSpec,
    OnErrorSpec,
    PipelineSpec,
    RetryRule,
    RetrySpec,
    SinkSpec,
)
from wire.testing.faults import Crash
from wire.testing.memory import GAP

STOP_WITHIN_S = 31.0


def build(world: World) -> Parts:
    """Return a random pipeline over random records."""
    rng = world.rng
    for name in ["a", "b"][: rng.choice((1, 1, 2))]:
        partitions = {
            f"p{p}": items(rng, f"{name}/p{p}", rng.choice((0, 1, 30, 120))) for p in range(rng.randint(1, 4))
        }
        world.sources[name] = SimSource(world, name, partitions)
        world.sources[name].max_readers = rng.choice((None, None, 1, 2))
    world.sinks = [sim_sink(world, f"out{i}", evens=rng.random() < 0.3) for i in range(rng.choice((1, 1, 2)))]
    if rng.random() < 0.6:
        world.dead_letters = sim_sink(world, "dead", refuses=False)
        world.gives_up = rng.random() < 0.3
    for sink in world.sinks:
        sink.sheds = rng.random() < 0.2
    spec = PipelineSpec(
        name="sim",
        batch=BatchSpec(
            max_records=rng.choice((1, 3, 20)),
            max_bytes=Size(rng.choice((30, 200, 100_000))),
            max_wait=Duration(rng.choice((0, 5, 600_000))),
            adaptive=rng.random() < 0.7,
        ),
        retry=RetrySpec(
            initial=Duration(100),
            max=Duration(rng.choice((100, 60_000))),
            attempts=rng.choice(("unlimited", 5)),
            rules=[RetryRule(codes=["sim.*"], attempts=rng.choice((1, 3)))] if world.gives_up else [],
        ),
        rate_limit=some_rate(rng),
        sinks=[feed(rng, sink) for sink in world.sinks],
        on_error=OnErrorSpec(policy="dead_letter" if world.dead_letters else "skip"),
        checkpoint=CheckpointSpec(interval=Duration(rng.choice((20, 300, 5000)))),
    )
    return Parts(
        spec,
        [
            SourcePart(name, "sim", "$.source", source, lambda: SimStage(world), True)
            for name, source in world.sources.items()
        ],
        [SinkPart(s.name, "sim", "$.sink", s, its) for s, its in zip(world.sinks, spec.every_sink, strict=True)],
        world.dead_letters and SinkPart("dead", "sim", "$.on_error.sink", world.dead_letters),
    )


def some_rate(rng: random.Random) -> Rate | None:
    return Rate(rng.choice((None, 5, 100)), rng.choice((None, 100, 5000))) if rng.random() < 0.2 else None


def feed(rng: random.Random, sink: SimSink) -> SinkSpec:
    few = BufferSpec(
        max_records=rng.choice((0, 50)),
        when_full="shed" if sink.sheds else "block",
        max_age=Duration(rng.choice((100, 9000))),
    )
    return SinkSpec(
        type="sim",
        breaker=BreakerSpec(failures=rng.choice((1, 5)), open_for=rng.choice((None, Duration(20_000)))),
        buffer=few if sink.sheds or rng.random() < 0.2 else None,
        rate_limit=some_rate(rng),
    )


def items(rng: random.Random, prefix: str, count: int) -> list[object]:
    return [GAP if rng.random() < 0.02 else f"{prefix}/{n}/{rng.choice(KINDS)}".encode() for n in range(count)]


def more_to_come(world: World) -> asyncio.TimerHandle | None:
    """Have a partition appear meanwhile, or not."""
    rng = world.rng
    if rng.random() < 0.5:
        late = rng.choice(list(world.sources.values()))
        its = items(rng, f"{late.name}/late", 9)
        return asyncio.get_running_loop().call_later(rng.uniform(0, 5), late.items.setdefault, PartitionId("late"), its)
    return None


async def incarnation(world: World, parts: Parts, *, bounded: bool) -> Progress:
    """Run the process once; it may end well, be stopped, be cancelled, fail or die. Return what it said last."""
    rng, progress, stop = world.rng, Progress(), asyncio.Event()
    for source in world.sources.values():
        source.bounded = bounded
    loop = asyncio.get_running_loop()
    stopped_at: list[float] = []

    async def body() -> None:
        async with contextlib.AsyncExitStack() as stack:
            found: list[Runner] = []

            async def open_() -> None:
                chance = random.Random(rng.random())
                found.append(
                    await stack.enter_async_context(
                        opened(parts, SimStore(world), progress, clock=LoopClock(), rng=chance)
                    )
                )

            try:
                if await within(stop, 0, open_()):
                    await found[0].run(stop)
                    found[0].update_progress()
            except BaseExceptionGroup as group:
                raise root_cause(group) from group

    appears = None if bounded else more_to_come(world)

    task = loop.create_task(body())
    if not world.calm or not bounded:
        ending = rng.choice(("stop", "cancel", "crash", "none" if bounded else "stop"))
        at = rng.choice((0.01, 1, 10, 100)) * rng.random()
        if ending == "crash":
            world.crash_at = rng.choice((10, 100, 500))
            world.crash_at = rng.randint(1, world.crash_at)
        if ending == "stop":
            loop.call_later(at, lambda: (stopped_at.append(loop.time()), stop.set()))
        if ending == "cancel" or not bounded:
            loop.call_later(at + 300, task.cancel)
            if ending == "cancel":
                loop.call_later(at, task.cancel)
    world.endings[await ending_of(task, progress)] += 1
    if appears:
        appears.cancel()
    if stopped_at:
        world.check(loop.time() - stopped_at[0] < STOP_WITHIN_S, "a stop takes too long")
    await asyncio.sleep(0)
    world.check(len(asyncio.all_tasks()) == 1, f"orphans: {asyncio.all_tasks()}")
    return progress


async def ending_of(task: asyncio.Task[None], progress: Progress) -> str:
    try:
        await task
    except (Crash, FatalError, RestartError, asyncio.CancelledError) as exc:
        return type(exc).__name__
    return progress.state


def check_counters(world: World, progress: Progress) -> None:
    if progress.state not in ("done", "stopped") or progress.pending or len(world.sinks) > 1:
        return
    accounted = progress.filtered + progress.written + progress.dead_lettered + progress.skipped
    accounted += sum(sink.shed for sink in progress.sinks)
    world.check(progress.read == accounted, f"the counters don't add up: {progress}")
    if progress.dead_letter:
        world.check(progress.dead_lettered == progress.dead_letter.written, f"dead letters: {progress}")


def check_end(world: World) -> None:
    for source in world.sources.values():
        for partition, its in source.items.items():
            key = PartitionKey(source.name, partition)
            world.check(source.pruned(partition) == len(its), f"{key} is released up to {source.pruned(partition)}")
            for sink in world.sinks:
                check_sink(world, sink, key)
            if world.dead_letters:
                check_sink(world, world.dead_letters, key)


def check_sink(world: World, sink: SimSink, key: PartitionKey) -> None:
    prefix = f"{key.source}/{key.partition}/".encode()
    found = [value for value in sink.memory.values() if value and value.startswith(prefix)]
    expected = world.expected(sink, key)
    missing, more = world.missing(sink, expected), world.more_dead_letters and sink is world.dead_letters
    world.check(not missing, f"gap: {sink.name} lacks {missing} of {key}")
    world.check(more or set(found) <= set(expected), f"{sink.name} has {set(found) - set(expected)} of {key}")
    if sink is world.dead_letters:
        if more:
            return
        refusals = {v: 1 if v.endswith(b"bad") else sum(s.wants(v) for s in world.sinks) for v in expected}
        world.check(not sink.exact or Counter(found) == refusals, f"dead letters of {key} more than once")
        return
    world.check(not sink.exact or len(found) == len(set(found)), f"duplicates: {key} in {sink.name}")
    left_out = sink.sheds or world.gives_up  # it may be written when it is read again, behind what was newer
    if not world.partial and not left_out and getattr(sink.memory, "max_in_flight", 1) == 1:
        world.check(list(dict.fromkeys(found)) == expected, f"order: {key} in {sink.name}")


async def simulate(world: World) -> None:
    parts = build(world)
    for _ in range(world.rng.randint(1, 5)):
        world.begin(calm=False)
        check_counters(world, await incarnation(world, parts, bounded=world.rng.random() < 0.6))
    world.begin(calm=True)
    last = await incarnation(world, parts, bounded=True)
    world.check(last.state == "done", f"the last run ended as {last}")
    check_counters(world, last)
    check_end(world)


def play(seed: int) -> Counter[str]:
    """Run what a seed stands for; how the runs ended is told."""
    world = World(random.Random(seed))
    with asyncio.Runner(loop_factory=SimLoop) as runner, capture_logs():
        runner.run(simulate(world))
        loop = runner.get_loop()
        assert isinstance(loop, SimLoop)
        world.check(not loop.complaints, f"complaints: {loop.complaints}")
    assert not world.broken, f"seed {seed}: {world.broken[:5]}"
    return world.endings
