"""The entries of a log in memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest

from wire.raft.storage.memory import Memory
from wire.raft.types import Entry

COUNT = 40 * 1024


@pytest.mark.parametrize(
    "throw_away",
    [
        lambda memory: memory.compact(COUNT - 1),
        lambda memory: memory.compact(COUNT),
        lambda memory: memory.truncate(1),
        lambda memory: memory.reset(COUNT, 1),
    ],
    ids=["compact", "compact all", "truncate", "reset"],
)
def test_memory_is_given_back_bit_by_bit(throw_away: Callable[[Memory], None]) -> None:
    command = bytes(bytearray(b"held by every entry"))
    memory = Memory()
    for index in range(1, COUNT + 1):
        memory.append(Entry(index, 1, command))
    held = [sys.getrefcount(command)]
    throw_away(memory)
    held.append(sys.getrefcount(command))
    for _ in range(30):
        index = memory.last[0] + 1
        memory.append(Entry(index, 1, b""))
        held.append(sys.getrefcount(command))
    assert all(0 <= before - after <= 4096 for before, after in pairwise(held))
    assert held[-1] < 1100


def test_the_collector_does_not_look_at_entry_after_entry_of_a_long_log() -> None:
    memory = Memory()
    for index in range(1, COUNT + 1):
        memory.append(Entry(index, 1, b"held"))
    gc.collect()
    seen = [
        each for each in gc.get_objects() if isinstance(each, list | tuple) and any(type(of) is Entry for of in each)
    ]
    assert seen == []
    assert [entry.index for entry in memory.entries(1, 1 << 30, COUNT)] == list(range(1, COUNT + 1))


def test_a_full_block_that_was_cut_takes_entries_again() -> None:
    memory = Memory()
    for index in range(1, 2049):
        memory.append(Entry(index, 1, b"held"))
    memory.truncate(1020)
    for index in range(1020, 1030):
        memory.append(Entry(index, 2, b"new"))
    assert [(entry.index, entry.term) for entry in memory.entries(1018, 1 << 30, 4)] == [
        (1018, 1), (1019, 1), (1020, 2), (1021, 2),
    ]  # fmt: skip
    assert memory.size == 1019 * 4 + 10 * 3
