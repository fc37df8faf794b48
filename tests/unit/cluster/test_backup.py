"""The state as a file, and back: whole or not at all."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cluster.play import Play
from tests.unit.cluster.world_kit import P, World
from wire.cluster import backup, snapshot
from wire.cluster import commands as c
from wire.cluster.commands import Done
from wire.cluster.encoding import NEWEST, encode
from wire.cluster.state import JobId, State
from wire.core.errors import RefusedError

HEADER = backup.Header(cluster="c-1", index=7, taken_ms=1000, release="1.0")


def played(seed: int = 3, steps: int = 800) -> State:
    """A state in which much has happened, with pipelines that have come somewhere."""
    world, player = World(), Play(Random(seed))
    for _ in range(steps):
        world.do(player.next(world.state))
    while not any(world.state.checkpoints.get(key) for key in world.state.pipelines):
        world.do(player.next(world.state))
    return world.state


STATE = played()
FILE = b"".join(backup.chunks(HEADER, snapshot.chunks(STATE)))


def restored(state: State) -> State:
    """What becomes of a backup in a new cluster."""
    numbers = iter(range(100))
    found = backup.restoring(state, NEWEST, at_ms=5, actor="ada", new_job=lambda: JobId(f"new-{next(numbers)}"))
    world = World()
    for command in (*found.staged, found.final):
        assert world.do(command) == Done()
    return world.state


def test_what_is_read_is_what_was_written() -> None:
    header, state = backup.read(FILE)
    assert header == HEADER
    assert b"".join(snapshot.chunks(state)) == b"".join(snapshot.chunks(STATE))


def test_all_pipelines_are_as_they_were_and_those_that_are_to_run_begin_a_job() -> None:
    now = restored(STATE)
    assert now.pipelines.keys() == STATE.pipelines.keys()
    for key, was in STATE.pipelines.items():
        pipeline = now.pipelines[key]
        for name in ("versions", "current", "proven", "desired", "generation", "created_ms"):
            assert getattr(pipeline, name) == getattr(was, name)
        assert (pipeline.job is not None) == (was.desired == "running")
        assert now.checkpoints.get(key, {}) == STATE.checkpoints.get(key, {})
    assert now.last_epoch >= STATE.last_epoch  # what is started here is newer than whatever was started there


def test_what_belongs_to_the_cluster_that_was_is_not_there() -> None:
    now = restored(STATE)
    assert not now.nodes
    assert not now.tokens
    assert [change.action for change in now.changes] == ["restore_pipelines"]
    assert all(task.owner is None for task in now.tasks.values())


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(FILE) - 1), flip=st.integers(1, 255))
def test_a_flipped_byte_is_refused_wherever_it_is(at: int, flip: int) -> None:
    data = bytearray(FILE)
    data[at] ^= flip
    with pytest.raises(RefusedError) as refused:
        backup.read(bytes(data))
    assert refused.value.code == "cluster.damaged_backup"


@pytest.mark.parametrize("size", [0, 5, 12, 20, len(FILE) // 2, len(FILE) - 1])
def test_a_part_of_a_file_is_refused(size: int) -> None:
    with pytest.raises(RefusedError, match=r"cluster\.damaged_backup"):
        backup.read(FILE[:size])


def test_one_of_a_later_release_says_what_to_do() -> None:
    later = backup.Header(cluster="c-1", index=7, taken_ms=1, release="9.0", format=backup.FORMAT + 1)
    with pytest.raises(RefusedError, match=r"cluster\.unknown_snapshot") as refused:
        backup.read(b"".join(backup.chunks(later, snapshot.chunks(STATE))))
    assert "upgrade" in str(refused.value.hint)


def test_where_all_versions_are_too_much_those_that_matter_are_restored() -> None:
    world = World()
    for n in range(12):
        world.do(c.ApplyPipeline(at_ms=1, key=P, spec=b"%d" % n + bytes(1 << 20), job=JobId(f"j{n}")))
    found = backup.restoring(world.state, NEWEST, at_ms=5, actor="ada", new_job=lambda: JobId("new"))
    (pipeline,) = found.final.pipelines
    assert [each.number for each in pipeline.versions] == [12]
    assert len(encode(found.final)) < 2 << 20
    assert World().do(found.final) == Done()


def test_nothing_is_restored_beside_pipelines_or_what_still_runs_or_what_is_not_whole() -> None:
    final = backup.restoring(STATE, NEWEST, at_ms=5, actor="ada", new_job=iter(map(JobId, "abcdef")).__next__).final
    world = World()
    world.node("a")
    world.apply("1", "j")
    assert world.refusal(final) == "cluster.not_empty"
    epoch = world.run("j", -1, "a")
    world.do(c.DeletePipeline(at_ms=1, key=P))
    assert world.refusal(final) == "cluster.not_empty"
    world.do(c.ReleaseTasks(at_ms=1, tasks=((next(iter(world.state.tasks)), epoch),)))
    broken = c.RestorePipelines(at_ms=1, pipelines=final.pipelines * 2, jobs=final.jobs * 2, last_epoch=1)
    assert world.refusal(broken) == "cluster.damaged_backup"
    assert world.do(final) == Done()
