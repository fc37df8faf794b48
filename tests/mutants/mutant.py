"""What a mutant is."""

from __future__ import annotations

from typing import Final, NamedTuple

SEQUENCES: Final = "tests/sim/raft/test_sequences.py"
SEEDS: Final = "tests/sim/raft/test_cluster.py"


class Mutant(NamedTuple):
    """`old` stands once in the `file` under wire/raft, and becomes `new`; `tests` should notice.

    `sequences` are the tests in SEQUENCES that all fail then, `seeds` those in SEEDS.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ("tests/unit/raft/replica", SEQUENCES)
    sequences: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
