"""A small world by the script: who does what, and whose messages get through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.small.automaton import Local
from tests.sim.raft.small.host import Choice, Deliver, Read
from tests.sim.raft.small.world import Bounds, SmallWorld, Step
from tests.sim.raft.witness import Witness
from wire.raft.transport.messages import Message
from wire.raft.types import Configuration

_MOST_ROUNDS: Final = 200


class Play:
    """Members 0, 1, ...; every step is checked as in a search, and raises ViolationError."""

    def __init__(self, *, voters: int = 3, strangers: int = 0) -> None:
        """Begin with all of them at rest."""
        self.world = SmallWorld(Bounds(), voters=voters, strangers=strangers)
        self._state = self.world.first
        self._late = 0

    def do(self, at: int, *choices: Choice) -> None:
        """Have something happen at a member."""
        for choice in choices:
            self._state = self.world.take(self._state, Step(at, choice))

    def read(self, at: int) -> None:
        """Have a client ask for a read, which has to see what was confirmed or read by now."""
        self.do(at, Read(self.world.confirmed(self._state)))

    def carry(self, *among: int, to: int | None = None) -> None:
        """Deliver what was sent since `hold_back` among some members, or to one of them only, until all is said."""
        receivers = among if to is None else (to,)
        for _ in range(_MOST_ROUNDS):
            before = self._state
            for step in list(self._arrivals(~self._late, among, receivers)):
                self._state = self.world.take(self._state, step)
            if before == self._state:
                return
        raise ViolationError(f"{among} do not come to an end with each other")

    def hold_back(self) -> None:
        """Have everything that was sent until now be late."""
        self._late = self._state.sent

    def deliver_late(self, sender: int, to: int, wanted: Callable[[Message], bool]) -> None:
        """Deliver some of what was held back on one way."""
        for step in list(self._arrivals(self._late, (sender,), (to,))):
            if isinstance(step.choice, Deliver) and wanted(step.choice.message):
                self._state = self.world.take(self._state, step)

    def _arrivals(self, sent: int, senders: tuple[int, ...], receivers: tuple[int, ...]) -> Iterator[Step]:
        for step in self.world.arrivals(self._state, self._state.sent & sent):
            if step.at in receivers and self.world.sender(step) in senders:
                yield step

    def witness(self, at: int) -> Witness:
        """Return what a member has shown."""
        return self._local(at).witness

    def configuration(self, at: int) -> Configuration:
        """Return the members as one knows them."""
        return self._local(at).configuration

    def _local(self, at: int) -> Local:
        return self.world.automata[at].locals[self._state.locals[at]]
