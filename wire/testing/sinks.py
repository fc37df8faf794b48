"""Conformance checks for sinks.

Subclass `wire.testing.harness.SinkHarness`, and `RefusingSinkHarness` or `BreakableSinkHarness` where they fit, and run
every check, each in a world of its own:

    @pytest.mark.parametrize("check", sink_checks(MyHarness))
    async def test_conformance(check: SinkCheck, tmp_path: Path) -> None:
        await check(MyHarness(tmp_path))

A check returns, or raises AssertionError saying what was expected and with which seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from wire.core.errors import RecordError, RetryableError, WireError
from wire.core.ports import Guarantee, TransactionalWriter
from wire.core.records import Batch, PartitionId, Position, Record
from wire.testing.checking import brief, document, expect, seeded
from wire.testing.faults import Crash
from wire.testing.harness import BreakableSinkHarness, RefusingSinkHarness, SinkHarness, within_deadline
from wire.testing.writing import Feed, Fuse, Life, batch_of

SinkCheck = Callable[[Any], Awaitable[None]]
"""A check, to be called with a harness of the class that `sink_checks` gave it for."""


async def _begin(harness: SinkHarness, feed: Feed, fuse: Fuse | None = None) -> Life:
    life = await Life.begin(feed, harness.sink(), harness.prepare, fuse)
    found = isinstance(life.writer, TransactionalWriter)
    expect(found == harness.transactional, f"the harness says transactional = {harness.transactional}, found {found}")
    return life


def _values(harness: SinkHarness, name: str, count: int) -> list[bytes]:
    rng = seeded(count)
    return [harness.value(document(name, number, rng)) for number in range(count)]


def _fill(harness: SinkHarness, feed: Feed, name: str, *counts: int) -> None:
    """Add partitions with so many records. Each `name` gives partitions, and values, of its own."""
    for number, count in enumerate(counts):
        partition = PartitionId(f"{name}/{number}")
        feed.values[partition] = _values(harness, partition, count)


def _stray(harness: SinkHarness, feed: Feed, name: str) -> list[Batch]:
    """Return records that go on where the feed's partitions stop, and that the feed knows nothing of."""
    return [batch_of(p, _values(harness, f"{name}/{p}", 3), len(values)) for p, values in feed.values.items()]


async def _expect_seen(harness: SinkHarness, feed: Feed, where: str) -> None:
    """Expect consumers to see the whole feed, each partition in order, nothing twice and nothing else."""
    found = await harness.read_back()
    _expect_all(found, feed, where)
    _expect_order(found, feed, where)
    doubled = [value for value, count in Counter(found).items() if count > 1]
    expect(not doubled, f"{where}: nothing twice, but {len(doubled)} values are, such as {brief(doubled)}")


def _expect_all(found: Sequence[bytes], feed: Feed, where: str) -> None:
    held = feed.all_values()
    lost = [value for value in held if value not in (seen := set(found))]
    expect(not lost, f"{where}: nothing lost, but {len(lost)} of {len(held)} records are, such as {brief(lost)}")
    alien = sorted(seen.difference(held)) if held else list(found)
    expect(not alien, f"{where}: nothing but what counts, but there are {len(alien)} others, such as {brief(alien)}")


def _expect_order(found: Sequence[bytes], feed: Feed, where: str) -> None:
    """Expect each partition in order: a record is followed by the next, or by an earlier one that is repeated."""
    for partition, values in feed.values.items():
        index = {value: i for i, value in enumerate(values)}
        order = [index[value] for value in found if value in index]
        skips = [(i, j) for i, j in zip([-1, *order], order, strict=False) if j > i + 1]
        expect(not skips, f"{where}: {partition} in order, but record {skips[:1]} (number, number) follow each other")


async def _expect_guarantee(harness: SinkHarness, feed: Feed, where: str) -> None:
    """Expect what the sink promises after failures: everything once, or at least once."""
    if harness.sink().guarantee is Guarantee.EXACTLY_ONCE:
        await _expect_seen(harness, feed, where)
    else:
        _expect_all(await harness.read_back(), feed, where)


@within_deadline
async def what_was_written_is_seen_in_order(harness: SinkHarness) -> None:
    """Records of several partitions, in writes of one batch and of many, are all seen, once, in order."""
    feed = Feed()
    _fill(harness, feed, "first", 30, 7, 1, 0)
    life = await _begin(harness, feed)
    rng = seeded(1)
    while not life.done:
        await life.write_some(rng)
        await life.checkpoint()
    await life.end()
    await _expect_seen(harness, feed, "after the end")


@within_deadline
async def a_second_run_adds_to_the_first(harness: SinkHarness) -> None:
    """What one run wrote is still seen after the next, which goes on with its partitions and has new ones."""
    feed = Feed()
    for name in ("first", "second", "third"):
        _fill(harness, feed, name, 5, 2)
        life = await _begin(harness, feed)
        await life.write_all()
        await life.end()
        await _expect_seen(harness, feed, f"after the {name} run")
        for partition in feed.values:
            feed.values[partition] += _values(harness, f"{name}: more of {partition}", 3)
    await (await _begin(harness, feed)).writer.close()  # a run that writes nothing
    await _end_with_all(harness, feed)
    await _expect_seen(harness, feed, "after the last run")


async def _end_with_all(harness: SinkHarness, feed: Feed) -> None:
    life = await _begin(harness, feed)
    await life.write_all()
    await life.end()


@within_deadline
async def nothing_to_write_is_fine(harness: SinkHarness) -> None:
    """Writes without batches and batches without records succeed, also when nothing else is committed."""
    feed = Feed()
    _fill(harness, feed, "first", 3)
    (partition,) = feed.values
    first, second, third = (batch_of(PartitionId("filtered"), [], position) for position in (1, 2, 3))
    life = await _begin(harness, feed)
    for batches in ([], [first], [first, first]):
        failures = await life.write_once(batches)
        expect(not failures, f"writing nothing has no failures, found {failures}")
    await life.checkpoint()
    await life.write([second, feed.batch(partition, 0, 3), third])
    await life.end()
    if harness.keeps:
        await _expect_seen(harness, feed, "after the end")


@within_deadline
async def close_may_come_twice(harness: SinkHarness) -> None:
    """A writer can be closed again: unused, or with something written and not committed."""
    feed = Feed()
    _fill(harness, feed, "first", 3)
    for writes in range(2):
        life = await _begin(harness, feed)
        for _ in range(writes):
            await life.write_all()
        await life.writer.close()
        await life.writer.close()


@within_deadline
async def crashes_lose_nothing(harness: SinkHarness) -> None:
    """Tasks that die anywhere and start again lose no record; where exactly once is promised, none is seen twice.

    Some close their writer as they die. The other writers are closed at the very end, which may undo nothing either.
    """
    feed = Feed()
    for seed in harness.seeds:
        rng = seeded(seed)
        _fill(harness, feed, f"seed{seed}", 20, 9, 2)
        for _ in range(6):
            with contextlib.suppress(Crash):
                life = await _begin(harness, feed, Fuse(rng.randrange(12), rng))
                while not life.done:
                    await life.write_some(rng)
                    if rng.randrange(2):
                        await life.checkpoint()
            if feed.opened and rng.randrange(2):
                await feed.opened[-1].close()
        await _end_with_all(harness, feed)
        await _expect_guarantee(harness, feed, f"seed {seed}")
    for writer in feed.opened:
        with contextlib.suppress(WireError):
            await writer.close()
    await _expect_guarantee(harness, feed, "after the crashed writers were closed")


@within_deadline
async def a_write_may_be_repeated(harness: SinkHarness) -> None:
    """The same batches written again, by the same writer and by the next, succeed, and the guarantee holds."""
    feed = Feed()
    _fill(harness, feed, "first", 5, 2)
    for _ in range(2):
        life = await _begin(harness, feed)
        for _ in range(2):
            await life.write([feed.batch(partition, 0, 5) for partition in feed.values])
        await life.writer.close()
    await _expect_guarantee(harness, feed, "after four writes")
    _expect_order(await harness.read_back(), feed, "after four writes")


@within_deadline
async def writes_under_way_at_once_keep_order(harness: SinkHarness) -> None:
    """With as many writes under way as the writer allows, every partition is seen in order."""
    feed = Feed()
    _fill(harness, feed, "first", 60, 60)
    life = await _begin(harness, feed)
    at_once = getattr(life.writer, "max_in_flight", 0)
    expect(at_once > 0, f"max_in_flight is at least 1, found {at_once}")
    async with asyncio.TaskGroup() as group:
        under_way: deque[asyncio.Task[None]] = deque()
        for start in range(0, 60, 2):
            if len(under_way) == at_once:
                await under_way.popleft()
            batches = [feed.batch(partition, start, start + 2) for partition in feed.values]
            under_way.append(group.create_task(life.write(batches)))
    await life.writer.close()
    await _expect_seen(harness, feed, f"with {at_once} writes at once")


@within_deadline
async def failures_point_to_the_right_records(harness: RefusingSinkHarness) -> None:
    """A refused record is named by its batch and its place, with a RecordError; all others are seen."""
    feed = Feed()
    _fill(harness, feed, "first", 4, 3)
    bad = Record(harness.refused(), b"bad", 0, (), 99)
    batches = [Batch(PartitionId("bad"), Position(b"1"), [bad])]
    for place, partition in zip((1, 3), feed.values, strict=True):
        good = feed.batch(partition, 0, 9)
        records = [*good.records[:place], bad, *good.records[place:]]
        batches.append(Batch(partition, good.position, records))
    life = await _begin(harness, feed)
    failures = await life.write_once(batches)
    places = sorted((failure.batch, failure.record) for failure in failures)
    expect(places == [(0, 0), (1, 1), (2, 3)], f"the refused records are (0, 0), (1, 1) and (2, 3), found {places}")
    wrong = [failure.error for failure in failures if not isinstance(failure.error, RecordError)]
    expect(not wrong, f"a record that is refused for good fails with a RecordError, found {wrong}")
    await life.end()
    await _expect_seen(harness, feed, "with refused records")


@within_deadline
async def an_outage_is_survived(harness: BreakableSinkHarness) -> None:
    """While the other side is away a write says that repeating may help; when it is back, repeating does."""
    feed = Feed()
    _fill(harness, feed, "first", 5, 2)
    life = await _begin(harness, feed)
    await life.write_all()
    await life.checkpoint()
    _fill(harness, feed, "second", 5, 2)
    batches = [feed.batch(partition, 0, 5) for partition in feed.values if partition.startswith("second")]
    await harness.take_away()
    try:
        errors = [f.error for f in await life.write_once(batches)]
    except RetryableError as error:
        errors = [error]
    expect(bool(errors), "a write fails while the other side is away")
    expect(all(isinstance(error, RetryableError) for error in errors), f"an outage is retryable, found {errors}")
    await harness.bring_back()
    await life.write(batches)
    await life.writer.close()
    await _end_with_all(harness, feed)
    await _expect_guarantee(harness, feed, "after the outage")


@within_deadline
async def what_was_not_committed_is_discarded(harness: SinkHarness) -> None:
    """What was written but not committed when a task died is never seen, and not in the way of what comes."""
    feed = Feed()
    for name in ("first", "second"):
        life = await _begin_and_write(harness, feed, name)
        await life.checkpoint()
        await life.write(_stray(harness, feed, name))
        await _expect_gone(harness, feed, life, f"after the {name} crash before commit")


@within_deadline
async def closing_commits_nothing(harness: SinkHarness) -> None:
    """What was written but not committed when a writer was closed is never seen."""
    feed = Feed()
    for name in ("first", "second"):
        life = await _begin_and_write(harness, feed, name)
        await life.checkpoint()
        await life.write(_stray(harness, feed, name))
        await life.writer.close()
        await _expect_gone(harness, feed, life, f"after the {name} close before commit")


@within_deadline
async def what_was_committed_but_not_stored_is_discarded(harness: SinkHarness) -> None:
    """A crash between `commit` and storing its checkpoints undoes the commit: the checkpoints are the truth."""
    feed = Feed()
    for name in ("first", "second"):
        life = await _begin_and_write(harness, feed, name)
        await life.checkpoint()
        await life.write(_stray(harness, feed, name))
        await life.commit()
        await _expect_gone(harness, feed, life, f"after the {name} crash before the checkpoints were stored")


@within_deadline
async def what_was_stored_is_kept(harness: SinkHarness) -> None:
    """A crash between storing the checkpoints and `committed` loses nothing: the next open makes it seen."""
    feed = Feed()
    for name in ("first", "second", "third"):
        life = await _begin_and_write(harness, feed, name)
        await life.store(await life.commit())
        await life.write(_stray(harness, feed, name))
        await _expect_gone(harness, feed, life, f"after the {name} crash between storing and committed")


@within_deadline
async def a_failed_first_run_leaves_nothing(harness: SinkHarness) -> None:
    """What a task wrote that never stored a checkpoint is not seen beside what the next one writes."""
    feed = Feed()
    _fill(harness, feed, "first", 4)
    life = await _begin(harness, feed)
    await life.write(_stray(harness, feed, "lost"))
    await life.commit()
    await _end_with_all(harness, feed)
    await _expect_gone(harness, feed, life, "after a first run that never stored a checkpoint")


@within_deadline
async def an_older_epoch_changes_nothing(harness: SinkHarness) -> None:
    """Writers that go on when newer ones were opened change nothing that is seen (I4)."""
    feed = Feed()
    uncommitted = await _begin_and_write(harness, feed, "first")
    await uncommitted.checkpoint()
    await uncommitted.write(_stray(harness, feed, "early"))
    idle = await _begin(harness, feed)
    stored = await _begin_and_write(harness, feed, "second")
    await stored.store(await stored.commit())
    zombies = [uncommitted, idle, stored]
    for name in ("third", "fourth"):
        _fill(harness, feed, name, 4, 2)
        life = await _begin(harness, feed)
        await _haunt(harness, feed, zombies, f"{name} begun")
        await life.write_all()
        await _haunt(harness, feed, zombies, f"{name} written")
        zombies.append(life)
    await life.checkpoint()
    await _haunt(harness, feed, zombies[:-1], "checkpointed")
    await life.end()
    await _haunt(harness, feed, zombies[:-1], "at the end")
    await _expect_seen(harness, feed, "with older epochs writing all the time")
    for number, zombie in enumerate(zombies):
        await _expect_gone(harness, feed, zombie, f"after one more run, {number}")


async def _haunt(harness: SinkHarness, feed: Feed, zombies: Sequence[Life], name: str) -> None:
    """Have writers of older epochs do all they can; being refused is one good answer."""
    for number, zombie in enumerate(zombies):
        stray = _stray(harness, feed, f"{name} {number}")
        for action in (zombie.committed, functools.partial(zombie.write, stray), zombie.commit, zombie.committed):
            with contextlib.suppress(WireError):
                await action()


async def _begin_and_write(harness: SinkHarness, feed: Feed, name: str) -> Life:
    _fill(harness, feed, name, 4, 2)
    life = await _begin(harness, feed)
    await life.write_all()
    return life


async def _expect_gone(harness: SinkHarness, feed: Feed, crashed: Life, where: str) -> None:
    """Go on as the next task does, and expect nothing of a crashed one but what its checkpoints cover."""
    _fill(harness, feed, f"{where}: later", 3)
    await _end_with_all(harness, feed)
    await _expect_seen(harness, feed, where)
    with contextlib.suppress(WireError):
        await crashed.writer.close()
    await _expect_seen(harness, feed, f"{where}, its writer closed")


_ALWAYS: Final[Sequence[SinkCheck]] = (nothing_to_write_is_fine, close_may_come_twice)
_KEEPING: Final[Sequence[SinkCheck]] = (
    what_was_written_is_seen_in_order,
    a_second_run_adds_to_the_first,
    crashes_lose_nothing,
)
_PLAIN: Final[Sequence[SinkCheck]] = (a_write_may_be_repeated, writes_under_way_at_once_keep_order)
_TRANSACTIONAL: Final[Sequence[SinkCheck]] = (
    what_was_not_committed_is_discarded,
    closing_commits_nothing,
    what_was_committed_but_not_stored_is_discarded,
    what_was_stored_is_kept,
    a_failed_first_run_leaves_nothing,
    an_older_epoch_changes_nothing,
)


def sink_checks(harness: type[SinkHarness]) -> list[SinkCheck]:
    """Return the checks that a sink with such a harness has to pass."""
    checks = list(_ALWAYS)
    if harness.keeps:
        checks += [*_KEEPING, *(_TRANSACTIONAL if harness.transactional else _PLAIN)]
        checks += [failures_point_to_the_right_records] if issubclass(harness, RefusingSinkHarness) else []
        checks += [an_outage_is_survived] if issubclass(harness, BreakableSinkHarness) else []
    return checks
