from __future__ import annotations

from wire.cluster.scheduler import Leases, Liveness
from wire.cluster.state import NodeName

A, B = NodeName("a"), NodeName("b")


def test_a_lease_that_is_renewed_in_time_is_held_without_a_break() -> None:
    leases = Leases((), 0, lease_ms=100)
    for now_ms in (10, 60, 159):
        leases.renew(A, now_ms)
    assert leases.granted == {A: Liveness(since_ms=10, renewed_ms=159)}


def test_a_lease_that_is_renewed_too_late_begins_anew() -> None:
    leases = Leases((), 0, lease_ms=100)
    leases.renew(A, 10)
    leases.renew(A, 110)
    assert leases.granted == {A: Liveness(since_ms=110, renewed_ms=110)}


def test_a_lease_is_over_when_its_time_has_passed() -> None:
    lease = Liveness(since_ms=0, renewed_ms=50)
    assert lease.is_held(149, lease_ms=100)
    assert not lease.is_held(150, lease_ms=100)


def test_whoever_begins_to_lead_grants_everybody_one_lease() -> None:
    leases = Leases([A, B], 500, lease_ms=100)
    assert leases.granted == {A: Liveness(None, 500), B: Liveness(None, 500)}


def test_a_node_counts_from_when_this_leader_has_heard_it() -> None:
    leases = Leases([A, B], 500, lease_ms=100)
    leases.renew(A, 550)
    leases.renew(A, 560)
    assert leases.granted == {A: Liveness(550, 560), B: Liveness(None, 500)}


def test_a_node_that_is_dropped_has_none() -> None:
    leases = Leases([A, B], 500, lease_ms=100)
    leases.drop(A)
    leases.drop(A)
    assert leases.granted.keys() == {B}
