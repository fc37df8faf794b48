"""Whom a member hears: members, and while it hears of no leader, whoever is of this cluster."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.sim.raft.machine import Ledger
from tests.unit.raft.replica.kit import B, Bench, member
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
    assert node.admit(member("x")) is Admission.UNKNOWN, "its first entry is not committed"
    bench.put(B, AppendReply(term, 0, 1, True))
    bench.turn()
    assert node.admit(member("x")) is Admission.REMOVED
    bench.change(Configuration((member("a"), member("b"))))
    bench.turn()
    assert node.admit(member("c")) is Admission.UNKNOWN
    bench.put(B, AppendReply(term, 0, 2, True))
    bench.turn()
    assert node.admit(member("c")) is Admission.REMOVED
