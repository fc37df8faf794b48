"""What is refused, what is let pass, and what ends a member loudly."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.sim.raft.machine import Ledger
from tests.unit.raft.replica.kit import A, B, Bench, C, code_of, entries, leading, member, snapshot_of
from wire.core.errors import FatalError, UnavailableError
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.errors import StorageError
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.transport.messages import (
    Append,
    AppendReply,
    PreVote,
    PreVoteReply,
    Propose,
    ProposeReply,
    RequestVote,
    SnapshotPiece,
    SnapshotReply,
    TimeoutNow,
)
from wire.raft.types import Rejected, Role, Unknown


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


# callers


def test_more_than_may_wait_to_be_committed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, settings=RaftSettings(max_uncommitted_bytes=100))
    term = leading(bench)
    assert bench.propose(b"x" * 60) == []
    assert code_of(bench.propose(b"x" * 60)) == "raft.busy"
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    assert bench.propose(b"x" * 60) == []


def test_of_two_who_wait_for_one_entry_the_one_with_less_time_hears_first(bench: Bench) -> None:
    leading(bench)
    short = bench.propose(b"v")
    (index,) = bench.replica._proposals._waiting
    patient: list[bytes | Rejected | Unknown] = []
    term, ticket = bench.replica._proposals._waiting[index][0]
    bench.replica._proposals.expect(index, term, type(ticket)(b"", ticket.deadline + 60, patient.append))
    bench.wait(6)
    bench.replica.expire()
    assert isinstance(short[0], Unknown)
    assert patient == []


def test_whoever_waits_for_a_read_hears_that_the_member_stops(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    answers: list[bool] = []
    bench.replica._reads.append((99, 1e9, answers.append))
    bench.replica.close()
    assert answers == [False]


def test_whoever_waits_for_a_read_too_long_hears_that_nothing_is_known(bench: Bench) -> None:
    leading(bench)
    answers: list[bool] = []
    bench.replica.barrier(1.0, answers.append)
    bench.wait(0.5)
    bench.replica.expire()
    assert answers == []
    bench.wait(0.6)
    bench.replica.expire()
    assert answers == [False]


def test_leadership_is_handed_to_nobody_who_is_no_voter(bench: Bench) -> None:
    leading(bench)
    refused = bench.replica.hand_over(member("x").id)
    assert refused is not None
    assert (refused.code, refused.message) == ("raft.no_such_voter", "x/a is not there to hand over to")


def test_only_a_leader_hands_over_and_goes_on_where_nobody_takes_it(bench: Bench) -> None:
    refused = bench.replica.hand_over(None)
    assert refused is not None
    assert refused.code == "raft.not_leader"
    leading(bench)
    assert bench.replica.hand_over(B) is None
    assert code_of(bench.propose(b"v")) == "raft.no_leader"
    bench.wait(bench.settings.election_max_s + 0.1)
    bench.put(B, AppendReply(bench.replica.term, 0, 1, True))
    bench.turn()
    assert bench.propose(b"v") == []


def test_whoever_has_no_vote_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = Bench(monkeypatch, voters="bcd")
    learner.wait(10)
    assert learner.turn() == []
    assert learner.replica.role is Role.LEARNER
    assert code_of(learner.propose(b"v")) == "raft.no_leader"


def test_whoever_was_removed_asks_for_no_vote(bench: Bench) -> None:
    bench.replica.removed = True
    bench.wait(10)
    assert bench.turn() == []
    assert bench.replica.role is Role.REMOVED


def test_whoever_asks_one_that_was_removed_may_ask_another(bench: Bench) -> None:
    bench.replica.removed = True
    assert code_of(bench.propose(b"v")) == "raft.stopped"  # it is not what was asked for that is wrong


def test_one_pre_vote_of_five_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, "abcde")
    bench.wait(10)
    (asked, *_) = bench.said(PreVote)
    bench.put(B, PreVoteReply(0, asked.round, True))
    assert not bench.said(RequestVote)
    bench.put(C, PreVoteReply(0, asked.round, True))
    assert bench.said(RequestVote)


def test_nobody_but_the_leader_of_the_term_can_ask_for_an_election(bench: Bench) -> None:
    bench.put(B, Append(3, 0, 0, 0, 0, ()))
    bench.put(C, TimeoutNow(3))
    bench.put(B, TimeoutNow(2))
    assert not bench.said(RequestVote)
    bench.put(B, TimeoutNow(3))
    assert bench.said(RequestVote)


# snapshots


def laggard_wants_a_snapshot(bench: Bench) -> int:
    term = leading(bench)
    bench.propose(b"v" * 100)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    snapshot_of(bench)
    bench.put(C, AppendReply(term, 0, 1, False))
    return term


def damage_newest(bench: Bench, at: int) -> None:
    """Flip a bit in its newest snapshot."""
    files = bench.files[1]
    newest = files.names()[-1]
    file = files.open(newest)
    content = bytearray(file.read(0, file.size))
    content[at] ^= 1
    files.put(newest, bytes(content))


def test_whoever_leads_no_more_sends_no_piece(bench: Bench) -> None:
    term = laggard_wants_a_snapshot(bench)
    assert bench.replica.transfers
    bench.put(B, RequestVote(term + 1, 9, term + 1))
    assert not bench.said(SnapshotPiece)
    assert not bench.replica.transfers


def test_a_snapshot_that_is_gone_is_replaced_by_the_newest(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    laggard_wants_a_snapshot(bench)
    with monkeypatch.context() as patch:

        def gone(info: SnapshotInfo) -> bool:
            raise StorageError("raft.snapshot.gone", "it was removed meanwhile")

        patch.setattr(bench.snapshots, "check", gone)
        assert not bench.said(SnapshotPiece)
    bench.put(C, AppendReply(bench.replica.term, 0, 1, False))
    assert [piece.info for piece in bench.said(SnapshotPiece)] == [bench.snapshots.newest]


def test_whoever_has_the_entries_by_now_needs_no_snapshot(bench: Bench) -> None:
    term = laggard_wants_a_snapshot(bench)
    bench.turn()
    bench.put(C, AppendReply(term, 0, 1, False))
    assert not bench.said(SnapshotPiece), "one piece at a time"
    bench.put(C, AppendReply(term, 0, 2, True))
    bench.wait(10 * bench.settings.heartbeat_s)
    bench.put(C, AppendReply(term, 0, 2, True))
    assert not bench.said(SnapshotPiece)


def test_replies_and_pieces_of_another_term_count_for_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    term = laggard_wants_a_snapshot(bench)
    (piece,) = bench.said(SnapshotPiece)
    bench.put(C, SnapshotReply(term - 1, piece.info.index, 10, False))
    assert not bench.replica.transfers
    follower = Bench(monkeypatch)
    follower.put(B, Append(term + 1, 0, 0, 0, 0, ()))
    follower.put(C, piece)
    assert not follower.replica.transfers


def test_a_snapshot_of_what_is_committed_already_is_answered_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    laggard_wants_a_snapshot(bench)
    (piece,) = bench.said(SnapshotPiece)
    follower = Bench(monkeypatch)
    follower.put(B, Append(piece.term, 0, 0, 3, 0, entries(piece.term, 1, 3)))
    follower.turn()
    follower.put(B, piece)
    assert [(reply.index, reply.done) for reply in follower.said(SnapshotReply)] == [(piece.info.index, True)]
    assert len(follower.machine.values) == 3


def test_whoever_waits_for_an_entry_that_a_snapshot_covers_hears_by_its_request_id(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = leading(bench)
    bench.propose(b"v", b"r")
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    snapshot_of(bench)
    bench.put(C, AppendReply(term, 0, 1, False))
    (piece,) = bench.said(SnapshotPiece)
    follower = Bench(monkeypatch)
    follower.put(B, Append(term, 0, 0, 0, 0, ()))
    follower.turn()
    known, unknown = follower.propose(b"v", b"r"), follower.propose(b"w")
    first, second = follower.said(Propose)
    follower.put(B, ProposeReply(term, first.number, 2, term))
    follower.put(B, ProposeReply(term, second.number, 1, term))
    follower.put(B, piece)
    follower.turn()
    assert known == [b"0"]
    assert isinstance(unknown[0], Unknown)


def test_a_leader_whose_snapshot_is_damaged_ends_instead_of_sending_it(bench: Bench) -> None:
    laggard_wants_a_snapshot(bench)
    damage_newest(bench, 300)
    with pytest.raises(StorageError, match="is damaged at byte") as caught:
        bench.replica.transfer()
    assert caught.value.code == "raft.storage.damaged"


def test_a_piece_there_is_no_room_for_is_lost_and_the_next_one_begins_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Bench(monkeypatch)
    laggard_wants_a_snapshot(other)
    (piece,) = other.said(SnapshotPiece)
    bench.files[1].room = 0
    bench.put(B, piece)
    with pytest.raises(StorageError) as caught:
        bench.replica.transfer()
    assert caught.value.code == "raft.storage.full"
    bench.files[1].room = None
    bench.put(B, piece)
    assert [reply.done for reply in bench.said(SnapshotReply)] == [True]
    assert bench.machine.values == other.machine.values


def test_a_power_cut_between_a_snapshot_that_arrived_and_the_log_behind_it_is_made_good(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Bench(monkeypatch)
    laggard_wants_a_snapshot(other)
    (piece,) = other.said(SnapshotPiece)
    bench.put(B, Append(1, 0, 0, 0, 0, entries(0, 1, 1)))
    bench.turn()
    bench.put(B, piece)
    bench.replica.transfer()
    bench.cut_power()
    assert (bench.log.base[0], bench.log.last[0], bench.replica.applied) == (2, 2, 2)
    assert bench.machine.values == other.machine.values


def test_damage_behind_what_the_state_machine_reads_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    laggard_wants_a_snapshot(bench)
    bench.turn()

    def restore(_: Ledger, chunks: Iterable[bytes]) -> None:
        pass

    monkeypatch.setattr(Ledger, "restore", restore)
    bench.open()
    damage_newest(bench, -60)
    with pytest.raises(StorageError, match="is damaged at byte"):
        bench.open()


def test_a_log_that_begins_behind_what_the_snapshots_cover_is_refused(bench: Bench) -> None:
    laggard_wants_a_snapshot(bench)
    bench.turn()
    files = bench.files[1]
    files.remove(files.names()[-1])
    with pytest.raises(UnavailableError, match=r"behind entry 2, the newest snapshot ends with entry 0") as caught:
        bench.open()
    assert caught.value.code == "raft.storage.gap"
    assert "join again with an empty data" in str(caught.value.hint)


# what can't be


def test_a_second_leader_of_a_term_ends_the_first_one(bench: Bench) -> None:
    term = leading(bench)
    with pytest.raises(FatalError, match=rf"{B} and {A} both lead in term {term}"):
        bench.put(B, Append(term, 0, 0, 0, 0, ()))


def test_a_committed_entry_that_is_not_in_the_log_ends_a_member(bench: Bench) -> None:
    bench.put(B, Append(1, 0, 0, 0, 0, entries(1, 1, 1)))
    bench.log.sync()
    bench.replica.commit = 2
    with pytest.raises(FatalError, match="the log lacks entry 2"):
        bench.replica.tick()
    bench.replica.applied = 7
    with pytest.raises(FatalError, match="does not have entry 7"):
        bench.replica.capture()
