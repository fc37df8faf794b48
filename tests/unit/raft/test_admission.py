"""Whom a member hears: members, and while it hears of no leader, whoever is of this cluster."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.sim.raft.machine import Ledger
from tests.unit.raft.replica.kit import B, Bench, member, snapshot_of
from wire.raft import Configuration, RaftNode
from wire.raft.transport.messages import Append, AppendReply
from wire.raft.transport.ports import Admission


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.fixture
def node(bench: Bench, tmp_path: Path) -> RaftNode:
    node = RaftNode(member("a"), "c", tmp_path, Ledger(), tls=None, rng=random.Random(1))
    node._replica = bench.replica
    return node


def test_a_stranger_is_heard_only_while_nothing_is_heard_of_a_leader(node: RaftNode, bench: Bench) -> None:
    assert node.admit(member("x")) is Admission.KNOWN
    bench.put(B, Append(1, 0, 0, 0, 0, ()))
    assert node.admit(member("b")) is Admission.KNOWN
    assert node.admit(member("x")) is Admission.UNKNOWN
    bench.wait(bench.settings.election_max_s + 0.1)
    assert node.admit(member("x")) is Admission.KNOWN


def test_a_leader_nobody_told_of_is_heard_while_it_leads(node: RaftNode, bench: Bench) -> None:
    stranger = member("x")
    bench.put(stranger.id, Append(1, 0, 0, 0, 0, ()))
    assert node.admit(stranger) is Admission.KNOWN
    assert node.admit(member("y")) is Admission.UNKNOWN


def test_nobody_is_told_to_be_removed_by_a_change_that_may_be_taken_back(node: RaftNode, bench: Bench) -> None:
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    bench.change(Configuration((member("a"), member("b"))))
    bench.turn()
    assert node.admit(member("c")) is Admission.UNKNOWN
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    assert node.admit(member("c")) is Admission.REMOVED
    assert node.admit(member("x")) is Admission.UNKNOWN, "it was never a member: it may be about to join"


def test_who_was_removed_is_known_after_a_restart(node: RaftNode, bench: Bench) -> None:
    removed(bench)
    bench.cut_power()
    node._replica = bench.replica
    assert node.admit(member("c")) is Admission.KNOWN, "as long as it is not known what is committed"
    bench.put(B, Append(2, 2, 1, 2, 0, ()))
    assert node.admit(member("c")) is Admission.REMOVED


def test_who_was_removed_is_known_though_the_log_of_it_is_gone(node: RaftNode, bench: Bench) -> None:
    removed(bench)
    snapshot_of(bench)
    bench.turn()
    bench.cut_power()
    node._replica = bench.replica
    assert bench.log.base[0] == 2
    assert node.admit(member("c")) is Admission.REMOVED


def removed(bench: Bench) -> None:
    """Have it remove `c`, as the leader of term 1."""
    term = bench.lead(B)
    bench.turn()
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    bench.change(Configuration((member("a"), member("b"))))
    bench.turn()
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
