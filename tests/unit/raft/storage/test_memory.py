"""The entries of a log in memory."""

from __future__ import annotations

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
