"""The time of the simulation: what replicas, network and events go by."""

from __future__ import annotations

from typing import Final

START_S: Final = 1000.0
CREEP_S: Final = 1e-4


class VirtualTime:
    """The clock that the library reads: it stands still between events, and creeps within one."""

    def __init__(self) -> None:
        self.now = START_S
        self._crept = 0.0

    def monotonic(self) -> float:
        self._crept += CREEP_S
        return self.now + self._crept

    def move_to(self, now: float) -> None:
        self.now = now
        self._crept = 0.0
