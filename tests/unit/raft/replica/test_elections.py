"""Votes, elections and reads: what the library gets wrong, by the messages that bring it out.

The numbers are those of docs/consensus.md.
"""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import B, Bench, C, D, code_of, entries
from wire.raft.transport.messages import (
    Append,
    AppendReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    TimeoutNow,
    VoteReply,
)
from wire.raft.types import Unknown


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


# 12: elections and reads


def test_an_election_begins_only_when_most_would_vote(bench: Bench) -> None:
    bench.wait(5)
    (asked, *_) = bench.said(PreVote)
    assert bench.replica.term == 0
    bench.put(B, PreVoteReply(0, asked.round - 1, True))
    assert not bench.said(RequestVote), "a reply to an earlier round"
    bench.put(B, PreVoteReply(0, asked.round, True))
    assert bench.said(RequestVote)
    assert bench.replica.term == 1


def test_who_hears_of_a_leader_would_not_vote_for_another(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    bench.put(C, PreVote(2, 1, 100, 1))
    assert [reply.granted for reply in bench.said(PreVoteReply)] == [False]
    bench.wait(5)
    bench.put(C, PreVote(2, 1, 100, 1))
    assert [reply.granted for reply in bench.said(PreVoteReply)] == [True]


def test_a_leader_that_hears_of_nobody_steps_down(bench: Bench) -> None:
    bench.lead(B)
    bench.turn()
    bench.wait(bench.settings.election_min_s + 0.1)
    bench.turn()
    assert not bench.replica.is_leader
    assert code_of(bench.propose(b"v")) == "raft.no_leader"


def test_a_read_waits_for_a_quorum_that_answers_after_it_was_asked(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    answers: list[bool] = []
    bench.replica.barrier(5.0, answers.append)
    (asked, *_) = bench.said(Append)
    bench.put(B, AppendReply(term, asked.round - 1, 1, True))
    bench.turn()
    assert answers == [], "that reply was sent before the read was asked for"
    bench.put(B, AppendReply(term, asked.round, 1, True))
    bench.turn()
    assert answers == [True]


def test_a_new_leader_reads_nothing_before_its_first_entry_is_committed(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    answers: list[bool] = []
    bench.replica.barrier(5.0, answers.append)
    (asked, *_) = bench.said(Append)
    bench.put(B, AppendReply(term, asked.round, 0, True))
    bench.turn()
    assert answers == []
    bench.put(B, AppendReply(term, asked.round, 1, True))
    bench.turn()
    bench.turn()
    assert answers == [True]


def test_leadership_is_handed_to_who_has_everything(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    assert bench.replica.hand_over(B) is None
    assert not bench.said(TimeoutNow)
    assert code_of(bench.propose(b"v")) == "raft.no_leader"
    bench.put(B, AppendReply(term, 0, 1, True))
    assert bench.said(TimeoutNow)


# 13: votes


def test_a_vote_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "abcde")
    bench.lead(B, B, B, B)
    assert not bench.replica.is_leader
    bench.put(C, VoteReply(bench.replica.term, True))
    assert bench.replica.is_leader


def test_votes_of_nobodys_member_do_not_count(bench: Bench) -> None:
    bench.lead(D)
    assert not bench.replica.is_leader


def test_a_candidate_whose_log_is_behind_gets_no_vote(bench: Bench) -> None:
    bench.put(B, Append(3, 0, 0, 0, 0, entries(3, 1, 5)))
    bench.put(C, RequestVote(4, 4, 3))
    bench.put(C, RequestVote(5, 9, 2))
    bench.put(C, RequestVote(6, 5, 3))
    assert [reply.granted for reply in bench.said(VoteReply)] == [False, False, True]


# what a review found


def test_a_pre_vote_that_was_won_too_late_deposes_nobody(bench: Bench) -> None:
    bench.wait(5)
    (asked, *_) = bench.said(PreVote)
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    bench.put(C, PreVoteReply(0, asked.round, True))
    assert not bench.said(RequestVote)
    assert bench.replica.term == 1


def test_a_leader_that_says_nothing_is_forgotten(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    lost = bench.propose(b"v")
    assert bench.replica.leader == B
    bench.wait(bench.settings.election_max_s + 0.1)
    bench.turn()
    assert bench.replica.leader is None
    assert isinstance(lost[0], Unknown)
    assert code_of(bench.propose(b"v")) == "raft.no_leader"


def test_a_leader_that_steps_down_answers_who_waits_for_a_read(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    answers: list[bool] = []
    bench.replica.barrier(30.0, answers.append)
    bench.put(C, RequestVote(term + 1, 1_000, term + 1))
    assert answers == [False]


def test_who_waits_for_a_read_hears_in_time_though_nothing_can_be_written(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    answers: list[bool] = []
    bench.replica._reads.append((99, 0.0, answers.append))
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 1)))  # not on disk: there can be no tick
    bench.replica.expire()
    assert answers == [False]


def test_who_is_told_to_campaign_does_so_though_the_leader_is_heard(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    bench.put(B, TimeoutNow(1))
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    assert bench.said(RequestVote)
