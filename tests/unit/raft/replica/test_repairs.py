"""Each defect of the library, by the messages that bring it out: what must come of them instead.

The numbers are those of docs/consensus.md.
"""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import B, Bench, C, D, code_of, entries, member, snapshot_of, vote
from wire.core.errors import FatalError
from wire.raft.replica.settings import RaftSettings
from wire.raft.transport.messages import (
    Append,
    AppendReply,
    SnapshotPiece,
    SnapshotReply,
    VoteReply,
)
from wire.raft.types import Configuration, MemberId, Unknown


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


# 1: what counts as committed


def test_only_what_a_message_has_shown_to_match_counts_as_committed(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 10)))
    bench.turn()
    bench.put(C, Append(5, 4, 1, 9, 0, ()))
    (reply,) = bench.said(AppendReply)
    assert (reply.success, reply.index) == (True, 4)
    assert bench.replica.commit == 4


def test_a_snapshot_that_arrives_commits_no_more_than_it_covers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Bench(monkeypatch)
    other.put(B, Append(1, 0, 0, 5, 0, entries(1, 1, 5)))
    other.turn()
    info = snapshot_of(other)
    data = other.snapshots.read(info, 0, info.size)
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 9)))
    bench.turn()
    bench.put(B, SnapshotPiece(1, info, 0, data))
    bench.replica.transfer()
    assert (bench.replica.commit, bench.replica.applied, bench.log.last) == (5, 5, (9, 1)), "a tail that fits is kept"
    assert bench.machine.values == other.machine.values
    assert [reply.done for reply in bench.said(SnapshotReply)] == [True]


# 2: replies of another leadership


def test_a_reply_of_another_term_counts_for_nothing(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 20)))
    bench.turn()
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term - 1, 0, 21, True))
    bench.turn()
    assert bench.replica.commit == 0


def test_a_reply_from_nobodys_member_counts_for_nothing(bench: Bench) -> None:
    term = bench.lead(B)
    bench.put(D, AppendReply(term, 0, 1, True))
    bench.turn()
    assert bench.replica.commit == 0


def test_what_somebody_with_an_empty_disk_says_under_a_members_name_counts_for_nothing(bench: Bench) -> None:
    newer_self = MemberId("b/b")
    term = bench.lead(newer_self)
    assert not bench.replica.is_leader
    bench.put(B, VoteReply(term, True))
    bench.turn()
    bench.put(newer_self, AppendReply(term, 0, 1, True))
    bench.turn()
    assert bench.replica.commit == 0


def test_entries_of_earlier_terms_are_committed_only_with_one_of_the_own(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 3)))
    bench.turn()
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 3, True))
    bench.turn()
    assert bench.replica.commit == 0
    bench.put(B, AppendReply(term, 0, 4, True))
    bench.turn()
    assert bench.replica.commit == 4


# 3: members


def test_a_change_waits_for_the_terms_first_entry_and_for_the_change_before_it(bench: Bench) -> None:
    voters = tuple(member(name) for name in "abc")
    term = bench.lead(B)
    wanted = Configuration(voters, (member("d"),))
    assert code_of(bench.change(wanted)) == "raft.change_under_way"
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    assert bench.change(wanted) == []
    assert code_of(bench.change(Configuration(voters, (member("d"), member("e"))))) == "raft.change_under_way"


def test_nobody_gets_a_vote_before_having_what_is_committed(bench: Bench) -> None:
    voters = tuple(member(name) for name in "abc")
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    done = bench.change(Configuration(voters, (member("d"),)))
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    assert done == [b""]
    promoted = Configuration((*voters, member("d")))
    assert code_of(bench.change(promoted)) == "raft.change_refused"
    assert code_of(bench.change(Configuration((*voters, member("e")), (member("d"),)))) == "raft.change_refused"
    bench.put(D, AppendReply(term, 0, 2, True))
    assert bench.change(promoted) == []
    assert bench.replica.configuration == promoted, "it counts from when it is in the log"


def test_who_was_removed_never_comes_back_under_the_same_id(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    without_c = Configuration((member("a"), member("b")))
    done = bench.change(without_c)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    assert done == [b""]
    assert bench.replica.configuration.removed == (C,)
    assert code_of(bench.change(Configuration(without_c.voters, (member("c"),)))) == "raft.removed_member"
    assert bench.change(Configuration(without_c.voters, (member("d"),))) == []


@pytest.mark.parametrize("voters", ["abcde", "a", "bc", "bcd"])
def test_no_more_than_one_voter_comes_or_goes_at_a_time(bench: Bench, voters: str) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    assert code_of(bench.change(Configuration(tuple(member(name) for name in voters)))) == "raft.change_refused"


def test_a_snapshot_holds_the_members_as_of_its_last_entry_not_those_of_a_change_under_way(bench: Bench) -> None:
    voters = tuple(member(name) for name in "abc")
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    bench.change(Configuration(voters, (member("d"),)))
    bench.turn()
    assert bench.replica.capture().configuration == Configuration(voters)


def test_members_in_the_log_count_after_a_restart_before_any_vote(bench: Bench) -> None:
    voters = tuple(member(name) for name in "abc")
    bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(bench.replica.term, 0, 1, True))
    bench.turn()
    wanted = Configuration(voters, (member("d"),))
    bench.change(wanted)
    bench.turn()
    bench.cut_power()
    assert bench.replica.configuration == wanted


# 4, 7, 9: what survives


def test_a_vote_that_was_given_is_not_given_again_after_a_power_cut(bench: Bench) -> None:
    bench.put(B, vote(7))
    assert [reply.granted for reply in bench.said(VoteReply)] == [True]
    bench.cut_power()
    bench.put(C, vote(7))
    assert [reply.granted for reply in bench.said(VoteReply)] == [False]
    bench.put(B, vote(7))
    assert [reply.granted for reply in bench.said(VoteReply)] == [True]


def test_a_start_brings_the_log_into_step_with_a_snapshot_that_came_before_a_power_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Bench(monkeypatch)
    other.put(B, Append(1, 0, 0, 5, 0, entries(1, 1, 5)))
    other.turn()
    info = snapshot_of(other)
    bench.put(B, SnapshotPiece(1, info, 0, other.snapshots.read(info, 0, info.size)))
    bench.replica.transfer()
    bench.cut_power()  # the snapshot is there, and the log that is to begin behind it is not
    assert (bench.log.base, bench.log.last, bench.replica.commit) == ((5, 1), (5, 1), 5)
    bench.put(B, Append(1, 5, 1, 6, 0, entries(1, 6, 6)))
    assert [reply.index for reply in bench.said(AppendReply)] == [6]


def test_nothing_is_counted_or_applied_that_is_not_on_disk(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 1, 0, entries(1, 1, 1)))
    with pytest.raises(FatalError, match=r"raft\.order"):
        bench.replica.tick()


def test_one_alone_applies_nothing_before_it_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "a")
    bench.wait(5)
    bench.turn()
    assert (bench.replica.is_leader, bench.replica.commit) == (True, 0)
    bench.propose(b"v")
    assert (bench.replica.commit, bench.machine.values) == (0, [])
    bench.turn()
    assert bench.machine.values == [b"v"]


# 5: what is cut off, and what never goes back


def test_entries_that_match_are_not_cut_off_by_a_late_message(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 10)))
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 3)))
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    assert bench.log.last == (10, 1)


def test_only_what_conflicts_is_cut_off(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 10)))
    bench.put(C, Append(2, 3, 1, 0, 0, (*entries(1, 4, 5), *entries(2, 6, 6))))
    assert bench.log.last == (6, 2)
    assert [bench.log.term_at(n) for n in range(4, 7)] == [1, 1, 2]


def test_what_is_committed_is_not_looked_at_again_whatever_a_message_says(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 3, 0, entries(1, 1, 3)))
    bench.turn()
    bench.put(C, Append(2, 0, 0, 0, 0, (*entries(2, 1, 3), *entries(2, 4, 4))))
    assert [bench.log.term_at(n) for n in range(1, 5)] == [1, 1, 1, 2]


def test_a_leader_of_the_past_hears_that_there_is_a_newer_term(bench: Bench) -> None:
    bench.put(B, Append(3, 0, 0, 0, 0, ()))
    bench.turn()
    bench.put(C, Append(2, 0, 0, 0, 0, entries(2, 1, 3)))
    (reply,) = bench.said(AppendReply)
    assert (reply.term, reply.success) == (3, False)
    assert bench.log.last == (0, 0)
    assert bench.replica.leader == B


def test_what_was_matched_never_goes_back_within_a_term(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.put(B, AppendReply(term, 0, 0, True))
    bench.put(B, AppendReply(term, 0, 0, False))
    bench.turn()
    assert bench.replica.commit == 1


def test_who_stepped_down_sends_no_entries_in_the_name_of_another_term(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    bench.propose(b"v")
    bench.put(C, vote(term + 1))
    assert not bench.said(Append)


# 6: a state machine that breaks its contract


def test_what_a_state_machine_raises_ends_the_member_and_is_not_passed_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = bench.lead(B)
    bench.turn()
    outcomes = bench.propose(b"v")
    bench.turn()
    monkeypatch.setattr(bench.machine, "apply", lambda _index, command: {}[command])
    bench.put(B, AppendReply(term, 0, 2, True))
    with pytest.raises(KeyError):
        bench.turn()
    assert (bench.replica.applied, outcomes) == (1, [])


# 11: every caller hears


def test_a_caller_hears_though_the_reply_is_lost_or_another_command_takes_its_place(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    lost = bench.propose(b"v")
    bench.put(C, Append(term + 1, 0, 0, 2, 0, entries(term + 1, 1, 2)))
    bench.turn()
    assert isinstance(lost[0], Unknown)
    forwarded = bench.propose(b"w")
    bench.wait(10)
    bench.turn()
    assert isinstance(forwarded[0], Unknown)


def test_a_caller_hears_in_time_though_the_leader_goes_on_leading(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    outcomes = bench.propose(b"v")
    for _ in range(60):  # its heartbeats are answered, and what was proposed never is
        bench.wait(0.1)
        bench.put(B, AppendReply(term, 0, 0, True))
        bench.turn()
    assert bench.replica.is_leader
    assert isinstance(outcomes[0], Unknown)


def test_a_command_of_the_largest_size_is_taken_and_a_larger_one_refused(bench: Bench) -> None:
    bench.lead(B)
    assert code_of(bench.propose(b"x" * (bench.settings.max_command_bytes + 1))) == "raft.too_large"


# requests


def test_a_request_that_is_in_the_log_twice_is_applied_once(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    first, second = bench.propose(b"v", b"r"), bench.propose(b"v", b"r")
    bench.turn()
    bench.put(B, AppendReply(term, 0, 3, True))
    bench.turn()
    assert (first, second, bench.machine.values) == ([b"0"], [b"0"], [b"v"])
    assert bench.propose(b"v", b"r") == [b"0"]


def test_what_was_carried_out_is_known_after_a_snapshot_and_a_restart(bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.propose(b"v", b"r")
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    snapshot_of(bench)
    bench.turn()
    bench.cut_power()
    assert bench.propose(b"v", b"r") == [b"0"]
    assert bench.machine.values == [b"v"]
    assert bench.log.base[0] == 2


# what the simulation found


def test_messages_that_were_overtaken_are_sent_again_once_however_many_of_them_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, settings=RaftSettings(max_append_bytes=1))
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    for n in range(20):
        bench.propose(b"%d" % n)
    ahead = [append for append in bench.said(Append) if append.previous_index > 1]
    for append in ahead:  # they came before the first
        bench.put(B, AppendReply(term, append.round, 2, False))
    again = [message for to, message in bench.turn() if to == B and isinstance(message, Append)]
    assert [(append.previous_index, len(append.entries)) for append in again] == [(1, 1)]
    bench.put(B, AppendReply(term, ahead[0].round, 1, True))
    assert not bench.said(Append), "nothing new was heard"
    bench.put(B, AppendReply(term, again[0].round, 2, False))
    assert bench.said(Append), "that one was refused, too"


# what a review found


def test_a_tail_that_conflicts_is_passed_over_term_by_term(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 100)))
    bench.put(C, Append(2, 100, 2, 0, 0, ()))
    assert bench.said(AppendReply)[-1].index == 1
