"""The world around a simulated engine: memory connectors and a checkpoint store that fail, dawdle and die at random.

Whatever an engine promises is checked the moment it could be broken; what was broken is kept in `World.broken`.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from wire.core.errors import FatalError, RecordError, RestartError, RetryableError, WireError
from wire.core.formats import JsonFormat
from wire.core.ports import Failure, Guarantee, Lag, Lineage, ReadLimit, TaskId, TransactionalWriter, Writer
from wire.core.records import Batch, Checkpoint, PartitionId, PartitionKey, Position, Record
from wire.pipelines.stage import StageResult
from wire.testing.faults import Crash, Reject
from wire.testing.memory import MemoryReader, MemorySink, MemorySource, MemoryTransactionalSink

OPERATIONS = ("open", "read", "transform", "write", "commit", "committed", "store")
KINDS = ["good"] * 12 + ["skip", "bad", "poison"]


def away() -> RetryableError:
    """A new one each time: an error that is raised again and again holds on to every place where it was."""
    return RetryableError("sim.away", "away")


def poison() -> RecordError:
    return RecordError("sim.poison", "poison")


class World:
    """What fails, how often, and what every incarnation of the process has left behind."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.broken: list[str] = []
        self.rate = {name: rng.choice((0, 0, 0.03, 0.2)) for name in OPERATIONS}
        self.partial = rng.choice((0, 0, 0.1))
        self.fatal = rng.choice((0, 0, 0.005))
        self.slow = rng.choice((0.0, 0.1, 0.6))
        self.stages_wait = rng.random() < 0.3
        self.gives_up = False
        self.calm = self.dead = False
        self.operations = 0
        self.crash_at: int | None = None
        self.away_until: dict[str, float] = {}
        self.sources: dict[str, MemorySource] = {}
        self.sinks: list[SimSink] = []
        self.dead_letters: SimSink | None = None
        self.rows: dict[PartitionKey, Checkpoint] = {}
        self.transactions = SimTransactions(self) if rng.random() < 0.3 else None
        self.epoch = 0
        self.endings: Counter[str] = Counter()

    def begin(self, *, calm: bool) -> None:
        """Start an incarnation of the process; a calm one meets no faults."""
        self.calm, self.dead, self.operations, self.crash_at = calm, False, 0, None
        self.away_until.clear()

    async def step(self, name: str, *, may_fail: bool = True) -> None:
        """One instant at which things may go wrong: before an operation takes effect, or after."""
        self.operations += 1
        if self.dead or self.operations == self.crash_at:
            self.dead = True
            raise Crash
        if self.calm:
            return
        if self.rng.random() < self.slow:
            await asyncio.sleep(self.rng.choice((0, 0, 0.003, 0.1, 0.1 if name == "close" else 4)))
            if self.dead:
                raise Crash
        if may_fail:
            self._fail(name)

    def _fail(self, name: str) -> None:
        now = asyncio.get_running_loop().time()
        if self.rng.random() < self.rate[name]:
            outage = self.rng.random() < 0.1
            self.away_until[name] = now + (self.rng.choice((5, 200)) if outage else 0)
            raise away()
        if now < self.away_until.get(name, 0):
            raise away()
        if self.rng.random() < self.fatal:
            raise FatalError("sim.fatal", "fatal")

    def check(self, kept: bool, promise: str) -> None:
        if not kept:
            self.broken.append(promise)

    @property
    def truth(self) -> Mapping[PartitionKey, Checkpoint]:
        """The checkpoints that count."""
        return self.rows if self.transactions is None else self.transactions.rows

    # what is true of records

    def values(self, key: PartitionKey, upto: int | None = None) -> list[bytes]:
        items = self.sources[key.source].items[key.partition][:upto]
        return [item for item in items if isinstance(item, bytes)]

    def expected(self, sink: SimSink, key: PartitionKey, upto: int | None = None) -> list[bytes]:
        """Return what a sink has to hold of a partition, once everything before `upto` is done with."""
        values = self.values(key, upto)
        if sink is self.dead_letters:
            sure = [sink for sink in self.sinks if not sink.sheds]  # what is shed is not looked at
            return [v for v in values if kind(v) == "bad" or (kind(v) == "poison" and any(s.wants(v) for s in sure))]
        return [v for v in values if kind(v) == "good" and sink.wants(v)]

    @property
    def more_dead_letters(self) -> bool:
        """Whether there may be others than those that are expected."""
        return self.gives_up or any(sink.sheds for sink in self.sinks)

    def wanted(self, value: bytes) -> bool:
        return any(sink.wants(value) for sink in self.sinks)

    def check_covered(self, key: PartitionKey, upto: int) -> None:
        """I2: a checkpoint never covers what is not durably written, deliberately filtered, or dead-lettered."""
        for sink in [*self.sinks, *([self.dead_letters] if self.dead_letters else [])]:
            missing = self.missing(sink, self.expected(sink, key, upto))
            self.check(not missing, f"I2: the checkpoint {upto} of {key} covers {missing}, not durable in {sink.name}")

    def missing(self, sink: SimSink, expected: Sequence[bytes]) -> set[bytes]:
        """Return what a sink does not hold though it should: what it sheds, or what was given up on, is excused."""
        missing = set() if sink.sheds else set(expected) - set(sink.durable())
        if missing and self.gives_up and self.dead_letters and sink is not self.dead_letters:
            missing -= set(self.dead_letters.durable())
        return missing

    def check_exact(self) -> None:
        """What is seen is what the checkpoints cover, and nothing twice."""
        for sink in self.sinks:
            seen = Counter(sink.durable())
            covered = Counter(
                value for key, row in self.truth.items() for value in self.expected(sink, key, int(row.position))
            )
            few = self.missing(sink, list((covered - seen).elements()))
            self.check(seen <= covered and not few, f"{sink.name} shows {seen - covered} too many, {few} too few")


def kind(value: bytes) -> str:
    return value.rsplit(b"/", 1)[1].decode()


class SimStage:
    """Routes a record to the sinks that want it; filters those that say so; fails on bad ones."""

    max_records: int | None = None

    def __init__(self, world: World) -> None:
        self._world = world
        self.waits = world.stages_wait

    async def run_waiting(self, batch: Batch) -> StageResult:
        await self._world.step("transform")
        return self.run(batch)

    async def close(self) -> None:
        pass

    def run(self, batch: Batch) -> StageResult:
        failures: list[tuple[int, WireError]] = []
        good: list[Record] = []
        for index, record in enumerate(batch.records):
            if kind(record.value or b"") == "bad":
                failures.append((index, poison()))
            elif kind(record.value or b"") != "skip" and self._world.wanted(record.value or b""):
                good.append(record)
        outputs = [
            Batch(batch.partition, batch.position, [r for r in good if sink.wants(r.value or b"")])
            for sink in self._world.sinks
        ]
        return StageResult(outputs, len(batch.records) - len(good) - len(failures), failures)


class SimSource(MemorySource):
    """A memory source whose world interferes."""

    def __init__(self, world: World, name: str, partitions: Mapping[str, Sequence[object]]) -> None:
        super().__init__(partitions, name=name)  # type: ignore[arg-type]
        self.world = world

    async def partitions(self) -> Sequence[PartitionId]:
        await self.world.step("open")
        return await super().partitions()

    async def open(self, partition: PartitionId, resume: Position | None) -> SimReader:
        await self.world.step("open")
        return SimReader(self, partition, await super().open(partition, resume))


class SimReader:
    """Loses nothing when cancelled, as every reader: it goes wrong before it reads."""

    def __init__(self, source: SimSource, partition: PartitionId, reader: MemoryReader) -> None:
        self._source = source
        self._key = PartitionKey(source.name, partition)
        self._reader = reader

    async def read(self, limit: ReadLimit) -> Batch | None:
        await self._source.world.step("read")
        return await self._reader.read(limit)

    async def release(self, upto: Position) -> None:
        world = self._source.world
        if world.dead:
            return
        row = world.truth.get(self._key)
        world.check(row is not None and int(upto) <= int(row.position), f"I1: {self._key} released too early")
        await self._reader.release(upto)
        await world.step("release", may_fail=False)

    def lag(self) -> Lag:
        return self._reader.lag()

    async def close(self) -> None:
        if not self._source.world.dead:
            await self._source.world.step("close", may_fail=False)


class SimSink:
    """A memory sink whose world interferes. It `wants` every record, or only those with an even number."""

    format = JsonFormat()
    carries_headers = True

    def __init__(self, world: World, name: str, memory: MemorySink | MemoryTransactionalSink, *, evens: bool) -> None:
        self.world, self.name, self.memory, self._evens = world, name, memory, evens
        self.sheds = False
        self.guarantee = memory.guarantee

    @property
    def exact(self) -> bool:
        return self.guarantee is Guarantee.EXACTLY_ONCE

    def wants(self, value: bytes) -> bool:
        return not self._evens or int(value.split(b"/")[2]) % 2 == 0

    def durable(self) -> list[bytes]:
        if isinstance(self.memory, MemorySink):
            return [v for v in self.memory.values() if v is not None]
        logs = [self.memory.log_of(opening.task) for opening in self.memory.openings[-1:]]
        return [record.value or b"" for log in logs for batch in log.log[: log.durable] for record in batch.records]

    async def open(
        self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]
    ) -> Writer | TransactionalWriter:
        await self.world.step("open")
        writer = await self.memory.open(task, epoch, recover)
        return (
            SimTransactionalWriter(self, writer) if isinstance(writer, TransactionalWriter) else SimWriter(self, writer)
        )


class SimWriter:
    """May fail before a write or after it; parts of a write may be refused for now."""

    def __init__(self, sink: SimSink, writer: Writer | TransactionalWriter) -> None:
        self.max_in_flight = getattr(writer, "max_in_flight", 1)
        self._sink, self._world, self._writer = sink, sink.world, writer

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        world = self._world
        await world.step("write")
        if not world.calm and world.rng.random() < world.partial:
            refused = {r.value or b"": away() for b in batches for r in b.records if world.rng.random() < 0.4}
            self._sink.memory.writes.now(Reject(refused))
        failures = await self._writer.write(batches)
        await world.step("write", may_fail=not self._sink.exact)
        return failures

    async def close(self) -> None:
        if not self._world.dead:
            await self._world.step("close", may_fail=False)
            await self._writer.close()


class SimTransactionalWriter(SimWriter):
    """May fail before and after each step of a commit as well."""

    _writer: TransactionalWriter

    async def commit(self, checkpoints: Mapping[PartitionId, Checkpoint]) -> bytes:
        await self._world.step("commit")
        token = await self._writer.commit(checkpoints)
        await self._world.step("commit")
        return token

    async def committed(self) -> None:
        await self._world.step("committed")
        await self._writer.committed()
        await self._world.step("committed")


class SimStore:
    """A checkpoint store in memory that checks what it is asked to keep."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def begin(self) -> int:
        self._world.epoch += 1
        return self._world.epoch

    async def load(self) -> dict[PartitionKey, Checkpoint]:
        return dict(self._world.rows)

    async def lineage(self) -> Lineage:
        return Lineage("sim")

    async def generation(self) -> int:
        return 0

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        world = self._world
        await world.step("store")
        for key, checkpoint in checkpoints.items():
            last = world.rows.get(key)
            if world.transactions is None:
                world.check(checkpoint.seq == (last.seq + 1 if last else 1), f"I3: {key} jumps to {checkpoint.seq}")
            world.check(last is None or int(checkpoint.position) > int(last.position), f"I3: {key} moves back")
            world.check_covered(key, int(checkpoint.position))
        world.check(epoch == world.epoch, "I4: an older epoch commits")
        world.rows.update(checkpoints)
        await world.step("store", may_fail=False)

    async def reset(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        return


class SimTransactions:
    """Publishes what its sinks were given, with the checkpoints, at once; whoever is killed before leaves nothing."""

    def __init__(self, world: World) -> None:
        self.interval_s = world.rng.choice((0.02, 0.3))
        self.max_bytes = world.rng.choice((30, 1 << 20))
        self.rows: dict[PartitionKey, Checkpoint] = {}
        self.sinks: list[SimTransactedSink] = []
        self._world = world

    async def recover(
        self, task: TaskId, epoch: int, stored: Mapping[PartitionKey, Checkpoint]
    ) -> Mapping[PartitionKey, Checkpoint]:
        await self._world.step("open")
        for sink in self.sinks:
            del sink.log.log[sink.public :]
        for key, checkpoint in stored.items():
            self._world.check(checkpoint.seq <= self.rows[key].seq, f"the store is ahead of the truth: {key}")
        return dict(self.rows)

    async def commit(self, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        world = self._world
        await self._step()
        for sink in self.sinks:
            sink.public = len(sink.log.log)
        for key, checkpoint in checkpoints.items():
            last = self.rows.get(key)
            world.check(checkpoint.seq == (last.seq + 1 if last else 1), f"I3: {key} jumps to {checkpoint.seq}")
            world.check_covered(key, int(checkpoint.position))
        self.rows.update(checkpoints)
        world.check_exact()
        await self._step()

    async def _step(self) -> None:
        try:
            await self._world.step("commit")
        except RetryableError as exc:
            raise RestartError("sim.away", "away") from exc

    async def close(self) -> None:
        return


class SimTransactedSink(SimSink):
    """A memory sink of which `public` batches are seen."""

    guarantee: Guarantee

    def __init__(self, transactions: SimTransactions, name: str, memory: MemorySink, *, evens: bool) -> None:
        super().__init__(transactions._world, name, memory, evens=evens)
        self.guarantee = Guarantee.EXACTLY_ONCE
        self.transactions = transactions
        self.log, self.public = memory, 0
        transactions.sinks.append(self)

    def durable(self) -> list[bytes]:
        return [record.value or b"" for batch in self.log.log[: self.public] for record in batch.records]


def sim_sink(world: World, name: str, *, evens: bool = False, refuses: bool = True) -> SimSink:
    """Return a sink of a random kind."""

    def refuse(record: Record) -> WireError | None:
        return poison() if refuses and kind(record.value or b"") == "poison" else None

    if world.transactions is not None:
        several = MemorySink(refuse=refuse, max_in_flight=world.rng.choice((1, 1, 3)))
        return SimTransactedSink(world.transactions, name, several, evens=evens)
    memory: MemorySink | MemoryTransactionalSink
    if world.rng.random() < 0.5:
        memory = MemorySink(refuse=refuse, max_in_flight=world.rng.choice((1, 1, 3)))
    else:
        memory = MemoryTransactionalSink(refuse=refuse)
    return SimSink(world, name, memory, evens=evens)
