"""A seed that never ends is a failure like any other, and each failure says how to repeat it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pysyncobj.syncobj
import pytest

from tests.sim.raft import world
from tests.sim.raft.checks import ViolationError
from tests.sim.raft.faults import Trial
from tests.sim.runner import EndlessError, Run, attempt, limit
from wire.raft.replica.replica import Replica
from wire.raft.transport.messages import Message
from wire.raft.types import MemberId

pytestmark = pytest.mark.sim


class Multiplying(Replica):
    """Says everything twice that it says in answer to a message."""

    def receive(self, sender: MemberId, message: Message) -> None:
        super().receive(sender, message)
        self.outbox += self.outbox


def test_messages_that_beget_messages_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pysyncobj.syncobj, "monotonicTime", pysyncobj.syncobj.monotonicTime)
    monkeypatch.setattr(world, "MAX_EVENTS", 5000)
    with pytest.raises(ViolationError, match="does not come to an end"):
        Trial(1, membership=False, replica=Multiplying).run()


def turn_for_ever() -> None:
    while True:
        pass


def test_a_turn_that_never_ends_is_a_failure() -> None:
    with pytest.raises(EndlessError), limit(0.05):
        turn_for_ever()


def fails_for_three(seed: int) -> Counter[str]:
    if seed == 3:
        raise ViolationError("as expected")
    return Counter({"seed": 1})


def leaves_something_unawaited(seed: int) -> Counter[str]:
    asyncio.sleep(seed)
    return Counter()


def test_a_seed_that_fails_is_told_with_how_to_repeat_it(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run("tests.sim.raft", fails_for_three, range(1, 6))
    run.work(1, stop_at=None)
    assert (run.done, run.failed, run.met) == (5, 1, {"seed": 4})
    assert (
        "seed 3: ViolationError: as expected\n  repeat it: .venv/bin/python -m tests.sim.raft --first 3 --seeds 1\n"
        in capsys.readouterr().out
    )


def test_a_run_may_end_with_the_first_failure() -> None:
    run = Run("tests.sim.raft", fails_for_three, range(1, 1_000_000))
    run.work(1, stop_at=1)
    assert run.failed == 1


def test_what_nobody_awaited_is_a_failure() -> None:
    outcome = attempt(leaves_something_unawaited, 1)
    assert outcome.problem is not None
    assert "was never awaited" in outcome.problem
