"""Through a small world: every state there is, or those that are rare first."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from msgspec import Struct

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.small.world import SmallWorld, State, Step

_COMPARED: Final = 6
_WALK: Final = 40
_NEWEST: Final = 4

Path: TypeAlias = "tuple[Path, Step] | None"
"""How one got somewhere: the path before, and the last step."""


class Found(Struct, frozen=True):
    """What a search has seen: states, steps, and whether there is nothing else."""

    states: int
    steps: int
    complete: bool


class CounterexampleError(ViolationError):
    """A violation, after so many steps of the search, and what leads to it."""

    def __init__(self, violation: ViolationError, steps: int, path: Iterable[Step]) -> None:
        self.steps = steps
        told = "\n".join(f"  n{step.at}: {step.choice}" for step in path)
        super().__init__(f"{violation}, after\n{told}")


def exhaustive(world: SmallWorld, states: int) -> Found:
    """Go through every state, nearest first, but through no more than so many. Raises CounterexampleError."""
    came: dict[State, tuple[State, Step] | None] = {world.first: None}
    waiting = deque([world.first])
    taken = 0
    while waiting and len(came) < states:
        state = waiting.popleft()
        for step in world.steps(state):
            taken += 1
            try:
                after = world.take(state, step)
            except ViolationError as violation:
                raise CounterexampleError(violation, taken, [*_back(came, state), step]) from violation
            if after not in came:
                came[after] = (state, step)
                waiting.append(after)
    return Found(len(came), taken, not waiting)


def _back(came: dict[State, tuple[State, Step] | None], state: State) -> list[Step]:
    steps: list[Step] = []
    while (before := came[state]) is not None:
        state, step = before
        steps.append(step)
    return steps[::-1]


class _Place(Struct, eq=False):
    """A state that was the first of its shape, and how often a walk began there."""

    state: State
    path: Path
    begun: int = 0


def guided(world: SmallWorld, rng: random.Random, steps: int) -> Found:
    """Walk at random from states of rare shapes, where few walks have begun. Raises CounterexampleError."""
    first = _Place(world.first, None)
    places, shapes = [first], {_shape(world, world.first)}
    taken = 0
    while taken < steps:
        place = min(rng.choices(places, k=_COMPARED), key=lambda each: each.begun)
        place.begun += 1
        state, path = place.state, place.path
        cut_off = rng.choice([None, *range(len(world.members))])
        for _ in range(_WALK):
            possible = [step for step in world.steps(state) if not _crosses(world, step, cut_off)]
            if not possible:
                break
            step = _chosen(possible, rng)
            taken += 1
            path = (path, step)
            try:
                state = world.take(state, step)
            except ViolationError as violation:
                raise CounterexampleError(violation, taken, _unrolled(path)) from violation
            shape = _shape(world, state)
            if shape not in shapes:
                shapes.add(shape)
                places.append(_Place(state, path))
    return Found(len(shapes), taken, complete=False)


def _crosses(world: SmallWorld, step: Step, cut_off: int | None) -> bool:
    """Say whether a step is a message to or from a member."""
    return step.kind is None and cut_off in (step.at, world.sender(step))


def _chosen(possible: list[Step], rng: random.Random) -> Step:
    """A message three times in four, most often one of the newest; else an event, of each kind as often as another."""
    messages = [step for step in possible if step.kind is None]
    if messages and (len(messages) == len(possible) or rng.random() < 0.75):
        return rng.choice(messages[-_NEWEST:] if rng.random() < 0.7 else messages)
    kind = rng.choice(sorted({step.kind for step in possible if step.kind is not None}))
    return rng.choice([step for step in possible if step.kind == kind])


def _shape(world: SmallWorld, state: State) -> Any:
    return tuple(automaton.locals[local].shape for automaton, local in zip(world.automata, state.locals, strict=True))


def _unrolled(path: Path) -> list[Step]:
    steps: list[Step] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return steps[::-1]
