"""Crashes between the steps of a commit, at each of the places where one can happen (I1, I2, I4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from tests.unit.pipelines.engine.kit import Engine, spec, values
from tests.waiting import until
from wire.core.errors import ConfigError, FatalError, FencedError, RetryableError
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey
from wire.core.units import Duration
from wire.pipelines.engine.checkpoints import CheckpointStore
from wire.pipelines.spec import CheckpointSpec
from wire.testing.faults import Crash, Raise
from wire.testing.memory import EOF, GAP, MemorySink, MemorySource, MemoryTransactionalSink


class CrashingStore:
    """Commits as the store behind it does, but dies once, before or after the commit with that number."""

    def __init__(self, store: CheckpointStore, *, before: int | None = None, after: int | None = None) -> None:
        self._store = store
        self._before = before
        self._after = after
        self._commits = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        self._commits += 1
        if self._commits == self._before:
            raise Crash
        await self._store.commit(epoch, checkpoints)
        if self._commits == self._after:
            raise Crash


@pytest.mark.parametrize("fault", [{"before": 1}, {"after": 1}, {"before": 2}, {"after": 2}])
async def test_kill_around_the_checkpoint_repeats_but_never_skips(tmp_path: Path, fault: dict[str, int]) -> None:
    source = MemorySource({"p": values(50)}, bounded=False)
    sink, exact = MemorySink(), MemoryTransactionalSink()
    engine = Engine(tmp_path, source, sink, exact, wrap_store=lambda store: CrashingStore(store, **fault))  # type: ignore[arg-type, return-value]

    async def run_until_it_dies() -> None:
        async with engine.running():
            await until(lambda: source.pruned("p") == 50)
            await source.append("p", *values(50, "s"))
            await until(lambda: False)

    with pytest.raises(Crash):
        await run_until_it_dies()
    if len(source.items[PartitionId("p")]) == 50:  # it died at the first commit
        await source.append("p", *values(50, "s"))
    engine.wrap_store = lambda store: store
    async with engine.running():
        await until(lambda: len(exact.values()) == 100)
    expected = [*values(50), *values(50, "s")]
    assert list(dict.fromkeys(sink.values())) == expected
    assert exact.values() == expected


async def test_kill_between_write_and_checkpoint_repeats_but_never_skips(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(9)}), MemorySink(script=[None, Raise(Crash(), after=4)])
    engine = Engine(tmp_path, source, sink)
    with pytest.raises(Crash):
        await engine.run()
    await engine.run()
    assert list(dict.fromkeys(sink.values())) == values(9)
    assert len(sink.values()) > 9


async def test_a_store_without_room_holds_back_the_release_until_it_has_some(tmp_path: Path) -> None:
    class FullStore(CrashingStore):
        async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
            self._commits += 1
            if self._commits < 4:
                assert source.released == []
                raise RetryableError("checkpoint.disk_full")
            await self._store.commit(epoch, checkpoints)

    source, sink = MemorySource({"p": values(9)}), MemorySink()
    await Engine(tmp_path, source, sink, wrap_store=FullStore).run()  # type: ignore[arg-type]
    assert source.pruned("p") == 9
    assert sink.values() == values(9)


async def test_every_start_has_its_own_epoch_and_the_sink_learns_it(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": [*values(2), EOF, *values(2, "s")]}), MemorySink()
    engine = Engine(tmp_path, source, sink)
    await engine.run()
    await engine.run()
    assert [opening.epoch for opening in sink.openings] == [1, 2]
    assert sink.openings[0].recover == {}
    assert [c.seq for c in sink.openings[1].recover.values()] != []


async def test_a_zombie_of_an_older_epoch_can_not_commit(tmp_path: Path) -> None:
    source, sink = MemorySource({"p": values(9)}), MemorySink()

    class Overtaken(CrashingStore):
        async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
            await self._store.begin()
            await self._store.commit(epoch, checkpoints)

    with pytest.raises(FencedError):
        await Engine(tmp_path, source, sink, wrap_store=Overtaken).run()  # type: ignore[arg-type]
    assert source.released == []


async def test_checkpoints_of_another_source_are_refused_with_a_way_out(tmp_path: Path) -> None:
    await Engine(tmp_path, MemorySource({"p": values(3)}), MemorySink()).run()
    other = MemorySource({"p": values(3)}, name="other")
    assert other.fingerprint() != Fingerprint(b"")
    with pytest.raises(ConfigError) as caught:
        await Engine(tmp_path, other, MemorySink()).run()
    assert caught.value.code == "checkpoint.source_changed"
    assert "--reset" in (caught.value.hint or "")
    assert caught.value.path == "$.source"


async def test_of_several_sources_the_one_that_changed_is_named(tmp_path: Path) -> None:
    def engine(name: str) -> Engine:
        engine = Engine(tmp_path, MemorySource({"p": values(3)}), MemorySink())
        (first,) = engine.parts.sources
        second = MemorySource({"p": values(3)}, name=name)
        sources = [first, dataclasses.replace(first, name="two", path="$.sources[1]", source=second)]
        engine.parts = dataclasses.replace(engine.parts, sources=sources)
        return engine

    await engine("second").run()
    with pytest.raises(ConfigError) as caught:
        await engine("other").run()
    assert caught.value.path == "$.sources[1]"


async def test_what_a_failing_open_leaves_behind_is_closed(tmp_path: Path) -> None:
    first = MemorySink()
    second = MemorySink(on_open=[Raise(FatalError("sink.refused", "no"))])
    with pytest.raises(FatalError):
        await Engine(tmp_path, MemorySource({"p": values(1)}), first, second).run()
    assert first.closed == 1


class WatchingStore:
    """Notes what the sink held at each commit."""

    def __init__(self, store: CheckpointStore, sink: MemorySink) -> None:
        self._store = store
        self._sink = sink
        self.held: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        self.held.append(len(self._sink.values()))
        await self._store.commit(epoch, checkpoints)


async def test_a_beginning_that_could_not_be_found_again_is_committed_before_anything_is_written(
    tmp_path: Path,
) -> None:
    source, sink = MemorySource({"p": [GAP, *values(5)]}), MemorySink()
    seldom = msgspec.structs.replace(spec(), checkpoint=CheckpointSpec(interval=Duration(3_600_000)))
    stores: list[WatchingStore] = []

    def watched(store: CheckpointStore) -> CheckpointStore:
        stores.append(WatchingStore(store, sink))
        return stores[-1]  # type: ignore[return-value]

    await Engine(tmp_path, source, sink, pipeline=seldom, wrap_store=watched).run()
    assert stores[0].held == [0, 5]
