"""One member as an automaton: its states, and the steps between them, each worked out once by the replica itself."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from tests.sim.raft.small.frozen import frozen
from tests.sim.raft.small.host import Choice, Host, Sent
from tests.sim.raft.witness import Leadership, Log, Witness
from wire.raft.types import Configuration, Member, MemberId

_KEPT_ALIVE: Final = 400


class Local(Struct, frozen=True):
    """A state, as far as others have to know it: `shape` is what makes it rare or common."""

    witness: Witness
    log: Log
    leadership: Leadership | None
    is_voter: bool
    lit: bool
    fresh: bool
    configuration: Configuration
    shape: tuple[Any, ...]


class Automaton:
    """States are numbered from 0, where the member begins. A state is reached again by the choices that led to it."""

    def __init__(self, me: Member, founders: Configuration) -> None:
        self.me = me
        self._founders = founders
        self._numbers: dict[Any, int] = {}
        self._came_from: list[tuple[int, Choice] | None] = []
        self._steps: dict[tuple[int, Choice], tuple[int, Sent]] = {}
        self._alive: dict[int, Host] = {}
        self.locals: list[Local] = []
        host = Host(me, founders)
        self._register(host, None)

    def step(self, state: int, choice: Choice) -> tuple[int, Sent]:
        """Return the state after a choice, and what it sent to others. Raises ViolationError."""
        found = self._steps.get((state, choice))
        if found is None:
            host = self._alive.pop(state, None) or self._begin_again(state)
            sent = host.take(choice)
            found = self._steps[state, choice] = self._register(host, (state, choice)), sent
        return found

    def _begin_again(self, state: int) -> Host:
        choices: list[Choice] = []
        while (came := self._came_from[state]) is not None:
            state, choice = came
            choices.append(choice)
        host = Host(self.me, self._founders)
        for choice in reversed(choices):
            host.take(choice)
        return host

    def _register(self, host: Host, came_from: tuple[int, Choice] | None) -> int:
        key = frozen(host)
        number = self._numbers.setdefault(key, len(self.locals))
        if number == len(self.locals):
            self.locals.append(_local(self.me.id, host))
            self._came_from.append(came_from)
        if len(self._alive) > _KEPT_ALIVE:
            del self._alive[next(iter(self._alive))]
        self._alive[number] = host
        return number


def _local(me: MemberId, host: Host) -> Local:
    replica, log, newest = host.replica, host.log, host.snapshots.newest
    entries = tuple(log.entries(log.base[0] + 1, 1 << 60))
    terms = tuple(entry.term for entry in entries)
    covered = newest.index if newest is not None else 0
    return Local(
        host.witness,
        Log(log.base[0], (log.base[1], *terms), entries),
        Leadership(replica.term, log.base[0], terms) if replica.is_leader else None,
        any(each.id == me for each in replica.configuration.voters) and not replica.removed,
        host.cut_in > 0,
        replica.applied > covered,
        replica.configuration,
        (
            replica.state,
            replica.term,
            replica.voted_for is not None,
            terms,
            log.base,
            replica.commit,
            len(replica.configuration.voters),
            replica._configurations.index <= replica.commit,
            tuple(sorted(replica.match.values())) if replica.is_leader else (),
        ),
    )
