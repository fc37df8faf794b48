"""What the clients of a list were told, and whether some order explains it that agrees with the time of their calls.

Every value has one place, and a read sees all values up to a place. So the places are the order, and the history is
linearizable if they agree with it: a call that begins when another has ended comes behind it (I7).
"""

from __future__ import annotations

from tests.sim.raft.checks import ViolationError


class History:
    """Hears of each call as it begins and as it ends; at the end it compares them all with what became of the list."""

    def __init__(self) -> None:
        self.confirmed: dict[bytes, int] = {}
        self.reads = 0
        self._began: dict[bytes, int] = {}
        self._floor = 0
        self._longest: list[bytes] = []

    def began(self) -> int:
        """Return what a call that begins now must see: the first place behind all that was confirmed or read."""
        return self._floor

    def proposed(self, value: bytes) -> None:
        """Remember when a value was proposed for the first time: it can't stand before what was there already."""
        self._began.setdefault(value, self._floor)

    def confirmed_at(self, value: bytes, place: int) -> None:
        """Check where a client heard that its value stands. Raises ViolationError."""
        self._not_before(value, place)
        if self.confirmed.setdefault(value, place) != place:
            raise ViolationError(f"{value!r} was confirmed at {place} and at {self.confirmed[value]}")
        self._floor = max(self._floor, place + 1)

    def read(self, values: list[bytes], began: int) -> None:
        """Check what a read has seen that began when so many were there, and keep the longest. Raises ViolationError.

        One of two reads begins the other, so all are right if the longest one is.
        """
        self.reads += 1
        if len(values) < began:
            raise ViolationError(f"a read saw {len(values)} values, and {began} were there before it began")
        common = min(len(values), len(self._longest))
        if values[:common] != self._longest[:common]:
            raise ViolationError(f"two reads saw other values than each other up to {common}")
        if len(values) > common:
            self._longest = values[:]
        self._floor = max(self._floor, len(values))

    def end(self, values: list[bytes]) -> None:
        """Check that this has come of it: all that was confirmed, where it was, and what was read; nothing twice."""
        if len(set(values)) != len(values):
            raise ViolationError("a request was carried out twice")
        if values[: len(self._longest)] != self._longest:
            raise ViolationError(f"a read saw {len(self._longest)} values, and these are not what came of them")
        for value, place in self.confirmed.items():
            if values[place : place + 1] != [value]:
                raise ViolationError(f"{value!r} was confirmed at {place} and is not there")
        for place, value in enumerate(values):
            self._not_before(value, place)

    def _not_before(self, value: bytes, place: int) -> None:
        began = self._began.get(value)
        if began is None:
            raise ViolationError(f"{value!r} stands at {place}, and nobody has proposed it")
        if place < began:
            raise ViolationError(f"{value!r} stands at {place}, and {began} values were there when it was proposed")
