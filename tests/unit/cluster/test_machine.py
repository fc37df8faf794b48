"""The state machine as consensus and the rest of a node see it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.cluster.model_rows import picture
from tests.unit.cluster.world_kit import P, World
from wire.cluster import commands as c
from wire.cluster.commands import Answer, AnyCommand, Refused
from wire.cluster.encoding import NEWEST, decode_answer, encode
from wire.cluster.machine import ClusterMachine
from wire.cluster.state import JobId
from wire.core.errors import FatalError
from wire.raft import StateMachine

APPLY = World().applying("1", "j")


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def machine(errors: list[Exception]) -> ClusterMachine:
    return ClusterMachine(errors.append)


def test_it_is_a_state_machine(machine: ClusterMachine) -> None:
    of_consensus: StateMachine = machine
    answer = decode_answer(of_consensus.apply(1, encode(APPLY)))
    assert isinstance(answer, c.Applied)
    assert machine.state.pipelines[P].job == "j"


def test_listeners_hear_of_each_command_and_its_answer(machine: ClusterMachine) -> None:
    heard: list[tuple[int, AnyCommand, Answer]] = []
    seen: list[bool] = []

    def applied(index: int, command: AnyCommand, answer: Answer) -> None:
        heard.append((index, command, answer))
        seen.append(P in machine.state.pipelines)

    machine.listen(applied, restored=lambda: None)
    again = c.ApplyPipeline(at_ms=1, key=P, spec=b"2", job=JobId("k"), if_revision=0)
    answers = [decode_answer(machine.apply(index, encode(command))) for index, command in ((1, APPLY), (2, again))]
    assert heard == [(1, APPLY, answers[0]), (2, again, answers[1])]
    assert isinstance(answers[1], Refused)
    assert seen == [True, True]


def test_a_listener_that_raises_holds_nothing_up(machine: ClusterMachine, errors: list[Exception]) -> None:
    heard: list[int] = []
    broken: Callable[..., None] = {}.__getitem__
    machine.listen(lambda index, command, answer: broken(index), restored=lambda: broken(0))
    machine.listen(lambda index, command, answer: heard.append(index), restored=lambda: heard.append(0))
    machine.apply(7, encode(APPLY))
    machine.restore(list(machine.snapshot()))
    assert heard == [7, 0]
    assert [str(error) for error in errors] == ["7", "0"]


def test_a_command_of_a_version_to_come_changes_nothing(machine: ClusterMachine) -> None:
    heard: list[int] = []
    machine.listen(lambda index, command, answer: heard.append(index), restored=lambda: None)
    machine.apply(1, encode(APPLY))
    before = picture(machine.state)
    with pytest.raises(FatalError, match=r"cluster\.unknown_command"):
        machine.apply(2, bytes((NEWEST + 1,)) + encode(APPLY)[1:])
    assert picture(machine.state) == before
    assert heard == [1]


def test_a_restored_state_takes_the_others_place_at_once(machine: ClusterMachine) -> None:
    machine.apply(1, encode(APPLY))
    taken = list(machine.snapshot())
    other = ClusterMachine(lambda _: None)
    before = other.state
    seen: list[bool] = []
    other.listen(lambda *_: None, restored=lambda: seen.append(P in other.state.pipelines))
    other.restore(taken)
    assert seen == [True]
    assert other.state is not before
    assert not before.pipelines, "whoever still reads the old one reads no mixture"
    assert picture(other.state) == picture(machine.state)


def test_a_snapshot_that_can_t_be_read_leaves_the_state_as_it_was(machine: ClusterMachine) -> None:
    machine.apply(1, encode(APPLY))
    before, told = machine.state, []
    machine.listen(lambda *_: None, restored=lambda: told.append(True))
    with pytest.raises(FatalError, match=r"cluster\.damaged_snapshot"):
        machine.restore([b"".join(machine.snapshot())[:-1]])
    assert machine.state is before
    assert told == []
