from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from wire.cluster.scheduler import Liveness
from wire.cluster.state import NodeName
from wire.node.leases import LeaseTable, OwnLease, awake

A, B = NodeName("a"), NodeName("b")


def test_a_lease_counts_from_when_its_renewal_was_sent() -> None:
    lease = OwnLease(1000)
    assert lease.left_ms(0) == 0
    lease.renewed(sent=500)
    assert lease.left_ms(700) == 800
    assert lease.left_ms(1500) == 0


def test_an_answer_that_comes_late_does_not_shorten_a_lease() -> None:
    lease = OwnLease(1000)
    lease.renewed(sent=500)
    lease.renewed(sent=400)
    assert lease.left_ms(500) == 1000


def test_a_new_leader_waits_one_lease_for_those_it_has_not_heard() -> None:
    table = LeaseTable(100, [A], 1000)
    assert table.alive(1099) == {A: 100}
    assert table.alive(1100) == {}
    assert not table.is_alive(B, 100)


def test_who_was_silent_for_a_lease_is_alive_since_it_was_heard_again() -> None:
    table = LeaseTable(0, [A], 1000)
    table.renew(A, 900)
    assert table.alive(1800) == {A: 0}
    table.renew(A, 1900)
    assert table.alive(1900) == {A: 1900}
    assert table.silent_ms(A, 2000) == 100


def test_the_scheduler_is_told_of_those_whose_lease_is_over_too() -> None:
    table = LeaseTable(100, [A], 1000)
    assert table.leases() == {A: Liveness(since_ms=100, renewed_ms=100)}
    table.renew(A, 900)
    table.renew(B, 5000)
    assert table.leases() == {A: Liveness(since_ms=100, renewed_ms=900), B: Liveness(since_ms=5000, renewed_ms=5000)}


def test_who_is_forgotten_is_not_alive_any_more() -> None:
    table = LeaseTable(0, [A], 1000)
    table.forget(A)
    assert table.leases() == {}
    assert table.alive(0) == {}
    assert table.silent_ms(A, 0) is None


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 500), st.booleans()), max_size=30),
    st.integers(1, 1000),
    st.integers(-10_000, 10_000),
)
def test_a_node_never_believes_in_a_lease_that_the_leader_has_given_up(
    renewals: list[tuple[int, int, bool]], lease_ms: int, skew: int
) -> None:
    """Each renewal is sent so long after the one before, takes so long to arrive, and may not be answered."""
    own, table = OwnLease(lease_ms), LeaseTable(skew, [], lease_ms)
    sent_at = list(itertools.accumulate((gap for gap, _, _ in renewals), initial=0))[1:]
    events = sorted((sent + delay, sent, heard) for sent, (_, delay, heard) in zip(sent_at, renewals, strict=True))
    for arrived, sent, answered in events:
        table.renew(A, arrived + skew)
        if answered:
            own.renewed(sent)
        for now in range(arrived, arrived + lease_ms + 2, max(1, lease_ms // 7)):
            if own.left_ms(now):
                assert table.is_alive(A, now + skew)


def test_the_clock_of_leases_goes_on() -> None:
    before = awake()
    while awake() == before:
        pass
    assert awake() > before
