"""Which small worlds are searched."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.sim.raft.small.world import Bounds, SmallWorld


class Kind(NamedTuple):
    """A world to be made."""

    name: str
    bounds: Bounds
    voters: int = 3
    strangers: int = 0

    def world(self) -> SmallWorld:
        return SmallWorld(self.bounds, voters=self.voters, strangers=self.strangers)


QUICK: Final = [
    Kind("a value", Bounds(campaigns=1, proposals=1)),
    Kind("a value, and what was lost", Bounds(campaigns=1, proposals=1, heartbeats=1)),
    Kind("a value and a restart", Bounds(campaigns=1, proposals=1, restarts=1)),
    Kind("a restart and a power cut", Bounds(campaigns=1, restarts=1, fuses=1)),
    Kind("two members, two elections, a value", Bounds(campaigns=2, proposals=1, heartbeats=1), voters=2),
    Kind("two members, two elections, a snapshot", Bounds(campaigns=2, proposals=1, snapshots=1), voters=2),
    Kind("two members and two changes of them", Bounds(campaigns=1, changes=2), voters=2, strangers=1),
    Kind("a newcomer to three members", Bounds(campaigns=1, changes=1), strangers=1),
    Kind("three members, of which two go", Bounds(campaigns=1, changes=2)),
]
"""Seconds for all of them, each to its end."""

THOROUGH: Final = [
    Kind("a value and a power cut", Bounds(campaigns=1, proposals=1, fuses=1)),
    Kind("a value, what was lost, and a snapshot", Bounds(campaigns=1, proposals=1, heartbeats=1, snapshots=1)),
    Kind("two members, two elections, a value, a restart", Bounds(campaigns=2, proposals=1, restarts=1), voters=2),
    Kind("two members, two elections, a value, a power cut", Bounds(campaigns=2, proposals=1, fuses=1), voters=2),
    Kind("two elections of two members, and a change of them", Bounds(campaigns=2, changes=1), voters=2, strangers=1),
    Kind("two elections", Bounds(campaigns=2)),
]
"""The better part of a minute, each to its end, too."""

WIDE: Final = [
    Kind("elections and values", Bounds(campaigns=3, proposals=2, heartbeats=3)),
    Kind("and restarts", Bounds(campaigns=3, proposals=2, heartbeats=2, restarts=2, fuses=1)),
    Kind("and snapshots", Bounds(campaigns=3, proposals=3, heartbeats=3, restarts=1, snapshots=2)),
    Kind("and reads", Bounds(campaigns=3, proposals=2, heartbeats=1, reads=2, handovers=1)),
    Kind("members that come and go", Bounds(campaigns=4, proposals=1, heartbeats=2, changes=3, snapshots=1), 3, 1),
    Kind("three members, of which some go", Bounds(campaigns=3, proposals=1, heartbeats=2, changes=2)),
    Kind("four members, of which some go", Bounds(campaigns=4, proposals=1, heartbeats=2, changes=3), 4),
    Kind("five members", Bounds(campaigns=3, proposals=2, heartbeats=1, restarts=1), 5),
]
"""Too wide to be exhausted: for walks."""
