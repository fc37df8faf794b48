from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.cluster.voters import keeps_quorum, next_voter
from wire.raft import Configuration, Member, MemberId
from wire.raft.membership import with_voter


def configuration(voters: str, learners: str) -> Configuration:
    return Configuration(
        *(tuple(Member(MemberId(f"{name}/1"), f"{name}:1") for name in names) for names in (voters, learners))
    )


@pytest.mark.parametrize(
    ("voters", "learners", "dead", "max_voters", "chosen"),
    [
        ("a", "", "", 5, None),
        ("a", "b", "", 5, None),
        ("a", "bc", "", 5, "b"),
        ("ab", "c", "", 5, "c"),
        ("abc", "d", "", 5, None),
        ("abc", "de", "", 5, "d"),
        ("abc", "de", "", 3, None),
        ("abc", "de", "", 4, None),
        ("abcde", "fg", "", 5, None),
        ("abcd", "efg", "", 5, "e"),
        ("ab", "cd", "c", 5, "d"),
        ("a", "bc", "c", 5, None),
        ("a", "bc", "", 1, None),
        ("ab", "", "", 5, None),
    ],
)
def test_votes_are_given_in_pairs_to_those_who_live(
    voters: str, learners: str, dead: str, max_voters: int, chosen: str | None
) -> None:
    alive = {MemberId(f"{name}/1") for name in voters + learners if name not in dead}
    found = next_voter(configuration(voters, learners), alive, max_voters)
    assert found == (chosen and f"{chosen}/1")


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 9))
def test_it_ends_with_an_odd_number_as_near_to_the_limit_as_can_be(voters: int, learners: int, max_voters: int) -> None:
    names = "abcdefghijklmnopqr"
    now = configuration(names[:voters], names[voters : voters + learners])
    alive = {member.id for member in now.members}
    while (chosen := next_voter(now, alive, max_voters)) is not None:
        now = with_voter(now, chosen)
    most = max_voters if max_voters % 2 else max_voters - 1
    if len(now.voters) > voters:
        assert len(now.voters) <= most
        assert len(now.voters) % 2 == 1
    reachable = min(most, voters + learners)
    assert len(now.voters) >= (reachable if reachable % 2 else reachable - 1)


@pytest.mark.parametrize(
    ("voters", "heard", "gone", "enough"),
    [
        ("abc", "abc", "c", True),
        ("abc", "ab", "c", True),  # one that is dead
        ("abc", "ab", "b", False),  # one that lives, while another one is dead
        ("abcde", "abc", "e", True),
        ("abcde", "abc", "c", False),
        ("ab", "ab", "a", True),
        ("a", "a", "a", False),
        ("abc", "ab", "x", True),  # one without a vote
        ("abc", "a", "x", False),
    ],
)
def test_who_is_heard_of_decides_without_the_one_that_goes_or_does_not(
    voters: str, heard: str, gone: str, enough: bool
) -> None:
    assert keeps_quorum(
        configuration(voters, ""), {MemberId(f"{each}/1") for each in heard}, MemberId(f"{gone}/1")
    ) == (enough)
