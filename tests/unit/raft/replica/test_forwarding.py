"""What callers ask by way of another member, and what they hear whatever becomes of the answer."""

from __future__ import annotations

import pytest

from tests.unit.raft.replica.kit import B, Bench, C, entries, leading
from wire.raft.transport.messages import (
    Append,
    AppendReply,
    Barrier,
    BarrierReply,
    Propose,
    ProposeReply,
    RequestRefused,
    RequestVote,
)
from wire.raft.types import Rejected, Unknown


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def following(bench: Bench) -> None:
    """Have it follow `B`, who leads in term 1."""
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    bench.turn()


# asking


def test_a_command_is_carried_out_where_the_leader_says_that_it_stands(bench: Bench) -> None:
    following(bench)
    done = bench.propose(b"v")
    (asked,) = bench.said(Propose)
    bench.put(B, ProposeReply(1, asked.number, 1, 1))
    bench.put(B, Append(1, 0, 0, 1, 0, entries(1, 1, 1)))
    bench.turn()
    assert done == [b"0"]


def test_an_answer_that_comes_after_the_command_was_applied_is_told_by_its_request_id(bench: Bench) -> None:
    following(bench)
    known, unknown = bench.propose(b"v", b"r"), bench.propose(b"w")
    first, second = bench.said(Propose)
    bench.replica._requests.add(b"r", b"result")
    bench.put(B, Append(1, 0, 0, 1, 0, entries(1, 1, 1)))
    bench.turn()
    bench.put(B, ProposeReply(1, first.number, 1, 1))
    bench.put(B, ProposeReply(1, second.number, 1, 1))
    assert known == [b"result"]
    assert isinstance(unknown[0], Unknown)


def test_a_refusal_is_told_to_whoever_asked(bench: Bench) -> None:
    following(bench)
    done = bench.propose(b"v")
    (asked,) = bench.said(Propose)
    bench.put(B, RequestRefused(1, asked.number, "raft.busy", "more waits than is allowed"))
    assert done == [Rejected("raft.busy", "more waits than is allowed")]


def test_answers_that_nobody_waits_for_any_more_change_nothing(bench: Bench) -> None:
    following(bench)
    for answer in (ProposeReply(1, 7, 1, 1), RequestRefused(1, 7, "raft.busy", ""), BarrierReply(1, 7, 1)):
        bench.put(B, answer)
    assert bench.turn() == []


def test_a_read_begins_once_what_the_leader_names_is_applied(bench: Bench) -> None:
    following(bench)
    answers: list[bool] = []
    bench.replica.barrier(5.0, answers.append)
    (asked,) = bench.said(Barrier)
    bench.put(B, BarrierReply(1, asked.number, 1))
    bench.turn()
    assert answers == []
    bench.put(B, Append(1, 0, 0, 1, 0, entries(1, 1, 1)))
    bench.turn()
    assert answers == [True]


def test_without_a_leader_there_is_no_read(bench: Bench) -> None:
    answers: list[bool] = []
    bench.replica.barrier(5.0, answers.append)
    assert answers == [False]


# being asked


def test_whoever_does_not_lead_refuses(bench: Bench) -> None:
    following(bench)
    bench.put(C, Propose(1, 7, b"", b"v"))
    bench.put(C, Barrier(1, 8))
    assert [(refused.number, refused.code) for refused in bench.said(RequestRefused)] == [
        (7, "raft.not_leader"),
        (8, "raft.not_leader"),
    ]


def test_a_leader_appends_and_says_where(bench: Bench) -> None:
    term = leading(bench)
    bench.put(C, Propose(term, 7, b"r", b"v"))
    assert bench.said(ProposeReply) == [ProposeReply(term, 7, 2, term)]
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    assert bench.machine.values == [b"v"]


def test_a_leader_answers_a_read_once_a_quorum_has_confirmed_it(bench: Bench) -> None:
    term = leading(bench)
    bench.put(C, Barrier(term, 7))
    (round_,) = {append.round for append in bench.said(Append)}
    bench.put(B, AppendReply(term, round_, 1, True))
    assert bench.said(BarrierReply) == [BarrierReply(term, 7, 1)]


def test_a_leader_that_leads_no_more_refuses_the_reads_that_wait(bench: Bench) -> None:
    term = leading(bench)
    bench.put(C, Barrier(term, 7))
    bench.put(C, RequestVote(term + 1, 9, term + 1))
    assert [refused.number for refused in bench.said(RequestRefused)] == [7]
