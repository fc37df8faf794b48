"""Any commands in any order: the log, a snapshot with the log's tail, and a model too dumb to be wrong agree (I6)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.cluster.invariants import Invariants
from tests.unit.cluster.model import Model
from tests.unit.cluster.model_rows import picture
from tests.unit.cluster.play import Play
from wire.cluster import checkpoints
from wire.cluster.commands import Answer, Refused
from wire.cluster.encoding import decode_answer, encode
from wire.cluster.machine import ClusterMachine


def fail(exc: Exception) -> None:
    raise exc


def bound(patch: pytest.MonkeyPatch) -> None:
    """Let there be so little of everything that its bounds are met."""
    for name, most in (("MAX_PARTITIONS", 5), ("MAX_GONE", 2), ("MAX_KEPT", 1)):
        patch.setattr(checkpoints, name, most)


@pytest.fixture(autouse=True)
def _small_bounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        bound(patch)
        yield


def alike(real: Answer, models: Answer) -> bool:
    """Whether two answers say the same; the words of refusals are not the model's concern."""
    if isinstance(real, Refused) and isinstance(models, Refused):
        return real.code == models.code
    return real == models


def play(random: Random, steps: int) -> None:
    machine, model, invariants, player = ClusterMachine(fail), Model(), Invariants(), Play(random)
    captured_at, at = random.randrange(steps), 0
    captured: Iterator[bytes] = iter(())
    as_captured: object = None
    restored = ClusterMachine(fail)
    log: list[bytes] = []
    for index in range(1, steps + 1):
        if index - 1 == captured_at:
            captured, as_captured, at = machine.snapshot(), picture(machine.state), len(log)
        command = player.next(machine.state)
        log.append(encode(command))
        answer = decode_answer(machine.apply(index, log[-1]))
        assert alike(answer, model.do(index, command)), (command, answer)
        assert picture(machine.state) == model.picture(), command
        invariants.check(machine.state, index, command, answer)
    restored.restore(captured)
    assert picture(restored.state) == as_captured
    for index, data in enumerate(log[at:], at + 1):
        restored.apply(index, data)
    assert picture(restored.state) == picture(machine.state)
    assert b"".join(restored.snapshot()) == b"".join(machine.snapshot())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False), steps=st.integers(1, 60))
def test_short_sequences(random: Random, steps: int) -> None:
    play(random, steps)


@pytest.mark.parametrize("seed", range(12))
def test_long_sequences(seed: int) -> None:
    play(Random(seed), 600)


if __name__ == "__main__":  # for a long search: python -m tests.unit.cluster.test_random FIRST COUNT
    bound(pytest.MonkeyPatch())
    for each in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
        try:
            play(Random(each), 400)
        except BaseException:
            sys.stdout.write(f"seed {each}\n")
            raise
