"""Configurations that follow each other: whoever was a member once never is again under the same id."""

from __future__ import annotations

from tests.unit.raft.replica.kit import member
from wire.raft.membership import MAX_REMOVED, following, with_learner, with_voter, without
from wire.raft.types import Configuration, Member

A, B, C = member("a"), member("b"), member("c")


def test_a_member_comes_as_a_learner_gets_a_vote_and_goes() -> None:
    now = with_learner(Configuration((B,)), C)
    assert now == Configuration((B,), (C,))
    now = with_voter(with_learner(now, A), A.id)
    assert now == Configuration((A, B), (C,))
    assert with_voter(now, A.id) == now
    assert without(without(now, C.id), A.id) == Configuration((B,))


def test_a_known_member_gets_another_address_and_keeps_its_place() -> None:
    moved = Member(B.id, "elsewhere:1")
    assert with_learner(Configuration((A, B), (C,)), moved) == Configuration((A, moved), (C,))
    assert with_learner(Configuration((A,), (B,)), moved) == Configuration((A,), (moved,))


def test_whoever_goes_is_remembered_whatever_is_asked_for() -> None:
    now = following(Configuration((A, B), (C,)), Configuration((A, B)))
    assert now.removed == (C.id,)
    now = following(now, Configuration((A,)))
    assert now == Configuration((A,), (), (C.id, B.id))
    assert following(now, with_learner(now, member("d"))).removed == now.removed


def test_of_very_many_the_first_are_forgotten() -> None:
    now = Configuration((A,))
    for n in range(MAX_REMOVED + 2):
        now = following(with_learner(now, member(f"m{n}")), now)
    assert len(now.removed) == MAX_REMOVED
    assert (now.removed[0], now.removed[-1]) == (member("m2").id, member(f"m{MAX_REMOVED + 1}").id)
