from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.cluster.scheduler import Liveness, SchedulerSettings
from wire.cluster.scheduler.fleet import Fleet, Host, Pool, level_filled
from wire.cluster.state import Node, NodeName

SETTINGS = SchedulerSettings(lease_ms=100, settle_ms=50, return_ms=1_000)


def node(name: str, workers: int = 4) -> Node:
    return Node(name=NodeName(name), incarnation="1", address="", workers=workers)


def host(name: str, load: int = 0, workers: int = 4, ramp: float = 1.0) -> Host:
    made = Host(node(name, workers), ramp)
    made.load = load
    return made


def fleet(**leases: Liveness) -> Fleet:
    nodes = {NodeName(name): node(name) for name in leases}
    return Fleet(nodes, {NodeName(name): lease for name, lease in leases.items()}, 10_000, SETTINGS)


def test_who_holds_its_lease_and_who_may_be_back_soon() -> None:
    found = fleet(
        a=Liveness(0, 9_901), b=Liveness(0, 9_900), c=Liveness(0, 9_851), d=Liveness(0, 9_850), e=Liveness(0, 0)
    )
    assert (found.hosts.keys(), found.missed) == ({"a"}, {"b", "c"})


@pytest.mark.parametrize(
    ("ages", "rooms"),
    [
        ((5_000, 1_000, 500, 1), (4, 4, 2, 0.2)),
        ((500, 250, 250, 250), (4, 2, 2, 2)),  # who is oldest counts in full
        ((1, 1, 2, 3), (4, 4, 4, 4)),
    ],
)
def test_how_much_counts_of_a_node_that_has_come_a_while_ago(ages: tuple[int, ...], rooms: tuple[float, ...]) -> None:
    found = fleet(**{name: Liveness(10_000 - age, 10_000) for name, age in zip("abcd", ages, strict=True)})
    assert [each.room for each in found.hosts.values()] == pytest.approx(rooms)


def test_a_node_that_is_not_heard_counts_no_more_as_time_passes() -> None:
    found = fleet(a=Liveness(0, 10_000), b=Liveness(9_450, 9_950))
    assert [each.room for each in found.hosts.values()] == pytest.approx([4, 2])


def test_a_lease_that_was_not_renewed_gives_no_room() -> None:
    found = fleet(a=Liveness(9_950, 9_950), b=Liveness(9_950, 9_951))
    assert [each.room for each in found.hosts.values()] == [0, 4]
    assert found.has_room(())
    assert not fleet(a=Liveness(9_950, 9_950)).has_room(())


def test_a_pool_gives_the_least_loaded_one_as_loads_rise() -> None:
    hosts = [host("a", 300), host("b", 100), host("c", 200), host("d", 0, ramp=0.0)]
    pool = Pool(hosts, 100)
    order = []
    while (first := pool.first()) is not None and len(order) < 7:
        level, found = first
        assert level == found.level_with(100)
        found.load += 100
        order.append(found.name)
    assert order == ["b", "b", "c", "a", "b", "c", "a"]


def test_who_was_taken_out_of_a_pool_is_not_found_until_it_is_put_back() -> None:
    a, b = host("a", 100), host("b", 200)
    pool = Pool([a, b], 100)
    pool.pop()
    assert pool.first() == (75, b)
    pool.push(a)
    assert pool.first() == (50, a)


def test_a_pool_of_nobody_gives_nobody() -> None:
    assert Pool([], 100).first() is None
    assert level_filled([], 100) == 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1_000), st.integers(1, 16), st.sampled_from([1.0, 0.25])), min_size=1),
    st.integers(0, 10_000),
)
def test_what_is_poured_over_hosts_fills_them_to_one_level(rows: list[tuple[int, int, float]], load: int) -> None:
    hosts = [host(f"{number}", *row) for number, row in enumerate(rows)]
    level = level_filled(hosts, load)
    assert sum(max(0.0, level * each.room - each.load) for each in hosts) == pytest.approx(load, abs=1e-6)
