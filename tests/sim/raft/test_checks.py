"""The checks themselves: histories of logs and members that must never be are told, each by what is wrong with it."""

from __future__ import annotations

import random

import pysyncobj.syncobj
import pytest

from tests.sim.disk import SimulatedFiles
from tests.sim.raft.checks import Checker, ViolationError
from tests.sim.raft.machine import Ledger
from tests.sim.raft.watched import WatchedLog
from tests.sim.raft.witness import Log, match
from tests.sim.raft.world import World
from wire.raft.types import Entry, MemberId

pytestmark = pytest.mark.sim

A, B = MemberId("a/1"), MemberId("b/1")


@pytest.fixture
def checker() -> Checker:
    return Checker()


def log_of(member: MemberId, checker: Checker, *entries: tuple[int, bytes]) -> WatchedLog:
    """Return a log of entries, each a term and a command."""
    log = WatchedLog(SimulatedFiles(random.Random(1)), member.encode(), member, checker)
    for index, (term, command) in enumerate(entries, 1):
        log.append(Entry(index, term, command))
    return log


# logs that match


def test_logs_that_part_and_come_together_again_are_allowed(checker: Checker) -> None:
    log_of(A, checker, (1, b"x"), (1, b"y"), (3, b"z"))
    other = log_of(B, checker, (1, b"x"), (2, b"y"))
    other.truncate(2)
    other.append(Entry(2, 1, b"y"))
    other.append(Entry(3, 3, b"z"))


def test_another_command_at_the_same_index_and_term_is_told(checker: Checker) -> None:
    log_of(A, checker, (1, b"x"), (2, b"y"))
    with pytest.raises(ViolationError, match="b/1 has another entry 2 of term 2 than somebody else"):
        log_of(B, checker, (1, b"x"), (2, b"z"))


def test_an_entry_behind_one_of_another_term_than_elsewhere_is_told(checker: Checker) -> None:
    log_of(A, checker, (1, b"x"), (3, b"y"))
    with pytest.raises(ViolationError, match="b/1 has another entry 2 of term 3"):
        log_of(B, checker, (2, b"x"), (3, b"y"))


def test_what_was_overwritten_long_ago_is_not_forgotten(checker: Checker) -> None:
    log = log_of(A, checker, (1, b"x"))
    log.truncate(1)
    log.append(Entry(1, 2, b"y"))
    with pytest.raises(ViolationError, match="another entry 1 of term 1"):
        log_of(B, checker, (1, b"z"))


def test_an_entry_that_a_restart_finds_changed_is_told(checker: Checker) -> None:
    files = SimulatedFiles(random.Random(1))
    log = WatchedLog(files, b"a", A, Checker())  # nobody has seen it being written
    log.append(Entry(1, 1, b"y"))
    log.sync()
    log_of(B, checker, (1, b"x"))
    files.kill()
    with pytest.raises(ViolationError, match="a/1 has another entry 1 of term 1"):
        WatchedLog(files, b"a", A, checker)


def test_a_log_that_begins_behind_an_entry_which_nobody_had_is_told(checker: Checker) -> None:
    log = log_of(A, checker, (1, b"x"))
    log.reset(1, 1)
    with pytest.raises(ViolationError, match="begins behind entry 2 of term 1: there was none"):
        log.reset(2, 1)


def test_logs_of_small_worlds_that_agree_on_an_entry_are_the_same_up_to_it() -> None:
    x, y, other, last = Entry(1, 1, b"x"), Entry(2, 1, b"y"), Entry(2, 1, b"z"), Entry(3, 3, b"")
    mine = Log(0, (0, 1, 1, 3), (x, y, last))
    match(A, mine, B, Log(0, (0, 1, 2), (x, Entry(2, 2, b"w"))))
    match(A, mine, B, Log(2, (1, 3), (last,)))
    with pytest.raises(ViolationError, match="another entry 2 of term 1"):
        match(A, mine, B, Log(0, (0, 1, 1), (x, other)))
    with pytest.raises(ViolationError, match="agree on an entry behind 2"):
        match(A, mine, B, Log(1, (1, 1, 3), (other, last)))
    with pytest.raises(ViolationError, match="another entry 3 of term 3 than b/1, or before it"):
        match(A, mine, B, Log(2, (2, 3), (last,)))


# members


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A cluster at rest, all of whom have what was proposed."""
    monkeypatch.setattr(pysyncobj.syncobj, "monotonicTime", pysyncobj.syncobj.monotonicTime)
    world = World(1, voters=3)
    world.network.calm()
    for node in world.nodes.values():
        world.start(node)
    world.run(5)
    world.propose(world.leaders()[0], b"v")
    world.run(5)
    assert all(node.machine.values == [b"v"] for node in world.nodes.values())
    return world


def test_what_is_committed_and_replaced_in_a_log_is_told_at_once(world: World) -> None:
    replica = next(iter(world.nodes.values())).replica
    assert replica is not None
    with pytest.raises(ViolationError, match=f"has committed entry {replica.commit}, and drops it"):
        replica._store.truncate(replica.commit)


def test_a_snapshot_before_what_is_committed_is_told(world: World) -> None:
    replica = next(iter(world.nodes.values())).replica
    assert replica is not None
    term = replica._store.term_at(replica.commit - 1)
    assert term is not None
    with pytest.raises(ViolationError, match=f"has committed entry {replica.commit}, and drops it"):
        replica._store.reset(replica.commit - 1, term)


def test_a_state_that_a_snapshot_has_changed_far_back_is_told(world: World) -> None:
    node = world.leaders()[0]
    for n in range(20):
        world.propose(node, b"%d" % n)
    world.run(5)
    node.machine = changed = Ledger()
    changed.values = [b"w", *(b"%d" % n for n in range(20))]
    assert node.replica is not None
    world.checker.restarted(node.member.id)
    with pytest.raises(ViolationError, match="has applied something else than somebody else before 21"):
        world.checker.step(node.member.id, node.replica, changed)
