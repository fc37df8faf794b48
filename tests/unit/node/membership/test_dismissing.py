"""For how long members are missed."""

from __future__ import annotations

from wire.node.membership.dismissing import Silence
from wire.raft import MemberId

A, B = MemberId("a/1"), MemberId("b/1")


def test_who_is_heard_of_is_not_missed_and_others_for_as_long_as_is_looked() -> None:
    silence = Silence()
    for second in range(10):
        missed = silence.look(float(second), {A: 0.1, B: float(second)})
    assert missed == {B: 9.0}


def test_who_is_heard_of_again_was_not_missed() -> None:
    silence = Silence()
    for second in range(20):
        silence.look(float(second), {A: float(second)})
    assert silence.look(20.0, {A: 0.0}) == {}
    assert silence.look(21.0, {A: 6.0}) == {A: 5.0}


def test_time_at_which_nobody_looked_counts_for_next_to_nothing() -> None:
    silence = Silence()
    for second in range(7):
        silence.look(float(second), {A: float(second)})
    assert silence.look(3600.0, {A: 3600.0}) == {A: 8.0}  # this process was stopped for an hour
    assert Silence().look(3600.0, {A: 3600.0}) == {A: 5.0}
