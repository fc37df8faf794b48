"""Dividing a job's partitions among its tasks: evenly by count, and as few change hands as possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from wire.core.records import PartitionKey

Share = tuple[PartitionKey, ...]


def task_count(parallelism: int | None, partitions: int, workers: int, before: int) -> int:
    """Return how many tasks a job gets; 0 where that can't be told yet.

    `workers` is what the nodes have that may run it, `before` how many tasks there are. None is auto: a task for each
    worker, and never more than partitions. Each new count restarts most tasks of the job, so auto follows a growing
    cluster only in steps of half as much again, and a shrinking one not at all: several tasks on a worker do no harm.
    """
    if parallelism is None:
        parallelism = workers if 2 * workers >= 3 * before else before
    return min(parallelism, partitions)


def deal(partitions: Iterable[PartitionKey], shares: Sequence[Share], tasks: int) -> tuple[Share, ...]:
    """Return the shares of so many tasks, beginning with what each has now.

    Their sizes differ by one at most. A partition stays where it is unless its task has too many, or is gone.
    """
    if not any(shares):  # what follows comes to the same, in half as much time again
        left = sorted(set(partitions))
        return tuple(tuple(left[slot::tasks]) for slot in range(tasks))
    wanted = set(partitions)
    dealt = [[each for each in share if each in wanted] for share in shares[:tasks]]
    dealt += [[] for _ in range(tasks - len(dealt))]
    fullest_first = sorted(range(tasks), key=lambda slot: -len(dealt[slot]))
    sizes = {slot: (len(wanted) + tasks - 1 - rank) // tasks for rank, slot in enumerate(fullest_first)}
    for slot, size in sizes.items():
        del dealt[slot][size:]
    left = sorted(wanted.difference(chain.from_iterable(dealt)))
    # one for each task in turn, so that the partitions of a busy topic do not all go to one
    openings = sorted((nth, slot) for slot, size in sizes.items() for nth in range(len(dealt[slot]), size))
    for partition, (_, slot) in zip(left, openings, strict=True):
        dealt[slot].append(partition)
    return tuple(map(tuple, dealt))
