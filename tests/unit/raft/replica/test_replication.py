"""When entries leave: before the leader's own disk is done, and to members without a vote at a pace."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.raft.replica.kit import SETTINGS, A, B, Bench, C, D, code_of, entries, member
from wire.raft.replica.progress import MAX_IN_FLIGHT
from wire.raft.replica.proposals import Outcome
from wire.raft.transport.messages import Append, AppendReply
from wire.raft.types import Configuration, MemberId, Unknown

PACED = replace(SETTINGS, heartbeat_s=10.0, election_min_s=31.0, election_max_s=40.0, learner_messages_per_s=10)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch, settings=PACED)


def leading(bench: Bench) -> int:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.put(C, AppendReply(term, 0, 1, True))
    bench.turn()
    return term


def with_learner(bench: Bench) -> int:
    """Have it lead `d`, too, who has the log up to its entry 2; return the term."""
    term = leading(bench)
    voters = tuple(member(name) for name in "abc")
    bench.change(Configuration(voters, (member("d"),)))
    bench.turn()
    bench.wait(0.2)
    bench.turn()
    for peer in (B, C, D):
        bench.put(peer, AppendReply(term, 0, 2, True))
    bench.turn()
    return term


def sent(said: list[tuple[MemberId, object]]) -> list[tuple[MemberId, int]]:
    """To whom entries went, and which was the last."""
    return [(to, each.entries[-1].index) for to, each in said if isinstance(each, Append) and each.entries]


def test_entries_leave_before_they_are_on_the_leaders_disk_and_count_there_only_after(bench: Bench) -> None:
    term = leading(bench)
    done = bench.propose(b"v")
    assert sent(bench.replica.ahead_of_sync()) == [(B, 2), (C, 2)]
    assert bench.log.dirty
    bench.put(B, AppendReply(term, 0, 2, True))
    assert bench.replica.commit == 1
    assert done == []
    assert sent(bench.turn()) == [], "they went already"
    assert done == [b"0"]


def test_nothing_but_entries_leaves_before_the_log_is_on_disk(bench: Bench) -> None:
    leading(bench)
    bench.put(B, Append(2, 1, 1, 1, 0, entries(2, 2, 2)))
    assert bench.replica.ahead_of_sync() == []
    assert [type(message) for _, message in bench.turn()] == [AppendReply]


def test_a_leader_that_loses_what_it_had_sent_takes_it_from_the_next_one(bench: Bench) -> None:
    term = leading(bench)
    bench.propose(b"v")
    ((_, message), _) = bench.replica.ahead_of_sync()
    assert isinstance(message, Append)
    bench.cut_power()
    assert bench.log.last == (1, term)
    bench.put(B, Append(term + 1, 1, term, 2, 0, message.entries))
    bench.turn()
    assert bench.machine.values == [b"v"]


def test_what_goes_to_several_is_one_message(bench: Bench) -> None:
    leading(bench)
    bench.propose(b"v")
    (_, one), (_, other) = bench.replica.ahead_of_sync()
    assert one is other


def test_no_more_is_under_way_to_a_peer_than_a_window_holds_and_with_each_answer_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, settings=replace(PACED, max_append_bytes=1))
    term = leading(bench)
    last = 50
    for n in range(2, last + 1):
        bench.propose(b"%d" % n)
    said = sent(bench.turn())
    assert len(said) == 2 * MAX_IN_FLIGHT
    next_one = 2 + MAX_IN_FLIGHT
    assert sorted(said) == [(peer, n) for peer in (B, C) for n in range(2, next_one)]
    assert sent(bench.turn()) == [], "one that does not answer is sent no more"
    bench.put(B, AppendReply(term, 0, 4, True))
    assert sent(bench.turn()) == [(B, next_one + n) for n in range(3)], "and holds nobody else up"
    bench.put(B, AppendReply(term, 0, 4, True))
    assert sent(bench.turn()) == [], "a reply that comes twice makes no room"
    for index in range(5, last + 1):
        bench.put(B, AppendReply(term, 0, index, True))
        assert len(bench.replica._progress[bench.replica._peers[B]].in_flight) <= MAX_IN_FLIGHT
    assert sent(bench.turn())[-1] == (B, last)
    assert bench.machine.values[-1] == b"%d" % last


def test_a_peer_of_which_nothing_is_known_yet_is_sent_one_message_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch, settings=replace(PACED, max_append_bytes=1))
    term = bench.lead(B)
    for n in range(3):
        bench.propose(b"%d" % n)
    assert sent(bench.turn()) == [(B, 1), (C, 1)]
    bench.put(B, AppendReply(term, 0, 1, True))
    assert sent(bench.turn()) == [(B, 2), (B, 3), (B, 4)]


def test_a_member_without_a_vote_gets_entries_at_a_pace(bench: Bench) -> None:
    with_learner(bench)
    bench.wait(0.2)
    bench.propose(b"v")
    assert sent(bench.turn()) == [(B, 3), (C, 3), (D, 3)]
    bench.propose(b"w")
    assert sent(bench.turn()) == [(B, 4), (C, 4)]
    bench.propose(b"x")
    bench.wait(0.2)
    assert sent(bench.turn()) == [(B, 5), (C, 5), (D, 5)], "two in one message, without another command"


def test_a_reply_of_a_member_without_a_vote_is_not_answered_with_more(bench: Bench) -> None:
    term = with_learner(bench)
    bench.wait(0.2)
    bench.propose(b"v")
    bench.turn()
    bench.propose(b"w")
    bench.turn()
    bench.put(D, AppendReply(term, 0, 3, True))
    assert sent(bench.turn()) == []
    bench.wait(0.2)
    assert sent(bench.turn()) == [(D, 4)]


def test_a_member_without_a_vote_whose_log_does_not_fit_is_sent_what_does_at_once(bench: Bench) -> None:
    term = with_learner(bench)
    bench.wait(0.2)
    bench.propose(b"v")
    bench.turn()
    bench.put(D, AppendReply(term, 0, 3, False))
    assert sent(bench.turn()) == [(D, 3)]


def test_a_member_that_is_to_get_a_vote_gets_entries_at_once(bench: Bench) -> None:
    term = with_learner(bench)
    bench.propose(b"v")
    bench.turn()
    for peer in (B, C):
        bench.put(peer, AppendReply(term, 0, 3, True))
    bench.turn()
    promoted = Configuration(tuple(member(name) for name in "abcd"))
    assert code_of(bench.change(promoted)) == "raft.change_refused"
    bench.propose(b"w")
    assert (D, 4) in sent(bench.turn())


def test_a_caller_who_asked_the_leader_that_was_hears_when_this_member_leads(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 1)))
    bench.turn()
    done: list[Outcome] = []
    bench.replica.propose(b"v", b"id", 1000.0, done.append)
    bench.wait(35)  # an election may come before the leader counts as silent
    bench.lead(C)
    assert bench.replica.is_leader
    assert bench.replica.leader == A
    (outcome,) = done
    assert isinstance(outcome, Unknown)


def test_what_is_committed_is_found_at_once_however_long_the_log_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 5000)))
    bench.turn()
    looked_at: list[int] = []
    term_at = bench.log.term_at
    monkeypatch.setattr(bench.log, "term_at", lambda index: looked_at.append(index) or term_at(index))
    bench.wait(41)
    term = bench.lead(B)
    bench.put(B, AppendReply(term, 0, 5000, True))
    bench.turn()
    assert bench.replica.commit == 0, "of an earlier term"
    bench.put(B, AppendReply(term, 0, 5001, True))
    bench.turn()
    assert bench.replica.commit == 5001
    assert len(looked_at) < 50
