from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.cluster.scheduler.shares import Share, deal, task_count
from wire.core.records import PartitionId, PartitionKey


def of(*numbers: int) -> Share:
    return tuple(PartitionKey("s", PartitionId(f"{number:02}")) for number in numbers)


@pytest.mark.parametrize(
    ("parallelism", "partitions", "workers", "before", "count"),
    [
        (4, 12, 1, 0, 4),
        (4, 3, 100, 0, 3),
        (4, 0, 100, 4, 0),
        (None, 12, 8, 0, 8),
        (None, 6, 8, 0, 6),
        (None, 6, 0, 0, 0),  # nobody could run them by now
        (None, 100, 12, 8, 12),  # half as many again
        (None, 100, 11, 8, 8),  # not enough to restart everything for
        (None, 100, 4, 8, 8),
        (None, 100, 0, 8, 8),
        (None, 5, 4, 8, 5),
    ],
)
def test_how_many_tasks_a_job_gets(
    parallelism: int | None, partitions: int, workers: int, before: int, count: int
) -> None:
    assert task_count(parallelism, partitions, workers, before) == count


def test_the_first_time_each_task_gets_one_in_turn() -> None:
    assert deal(of(3, 1, 2, 0, 4), (), 2) == (of(0, 2, 4), of(1, 3))


def test_a_new_partition_goes_to_who_has_fewest() -> None:
    assert deal(of(0, 1, 2, 3), (of(0, 1), of(2)), 2) == (of(0, 1), of(2, 3))


def test_when_partitions_go_the_others_stay_but_for_what_evens_them_out() -> None:
    assert deal(of(0, 1, 2, 3, 4), (of(0, 1, 2, 3, 4), of(5, 6, 7, 8, 9)), 2) == (of(0, 1, 2), of(3, 4))


def test_a_new_task_gets_its_part_of_the_others() -> None:
    assert deal(of(0, 1, 2, 3, 4, 5), (of(0, 1, 2), of(3, 4, 5)), 3) == (of(0, 1), of(3, 4), of(2, 5))


def test_what_a_task_had_that_is_no_more_goes_to_the_others() -> None:
    assert deal(of(0, 1, 2, 3), (of(0, 3), of(1), of(2)), 2) == (of(0, 3), of(1, 2))


def test_no_partitions_are_no_tasks() -> None:
    assert deal((), (of(0), of(1)), 0) == ()


@settings(deadline=None)
@given(st.sets(st.integers(0, 40)), st.integers(1, 9), st.sets(st.integers(0, 40), min_size=1), st.integers(1, 9))
def test_shares_are_even_and_as_few_partitions_as_possible_change_hands(
    had: set[int], tasks_before: int, found: set[int], tasks: int
) -> None:
    before = deal(of(*had), (), min(tasks_before, len(had)))
    tasks = min(tasks, len(found))
    shares = deal(of(*found), before, tasks)
    assert sorted(chain.from_iterable(shares)) == sorted(of(*found))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert kept(before, shares) == max(kept(before, sizes) for sizes in all_even(before, found, tasks))
    assert deal(of(*found), shares, tasks) == shares


def kept(before: tuple[Share, ...], after: tuple[Share, ...]) -> int:
    return sum(len(set(old) & set(new)) for old, new in zip(before, after, strict=False))


def all_even(before: tuple[Share, ...], found: set[int], tasks: int) -> list[tuple[Share, ...]]:
    """For every way to say which tasks have one more: what each of them could keep at most."""
    size, more = divmod(len(found), tasks)
    still = [tuple(each for each in share if each in of(*found)) for share in before[:tasks]]
    return [
        tuple(share[: size + (slot in larger)] for slot, share in enumerate(still))
        for larger in combinations(range(tasks), more)
    ]
