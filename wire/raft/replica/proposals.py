"""Callers that wait for their command, each told exactly once what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from wire.raft.types import Rejected, Unknown

Outcome: TypeAlias = "bytes | Rejected | Unknown"


class Ticket(Struct, eq=False):
    """One caller. `done` is called once; `request_id` is empty where the command may be carried out twice."""

    request_id: bytes
    deadline: float
    done: Callable[[Outcome], None]


class Proposals:
    """Those that wait for an entry to be applied, and those that wait for the leader to say which entry it is."""

    def __init__(self, first_number: int) -> None:
        """Count requests to the leader from `first_number`, which no earlier life of this member may have used."""
        self._number = first_number
        self._waiting: dict[int, list[tuple[int, Ticket]]] = {}
        self._asked: dict[int, Ticket] = {}

    def ask(self, ticket: Ticket) -> int:
        """Return the number under which the leader is asked."""
        self._number += 1
        self._asked[self._number] = ticket
        return self._number

    def answered(self, number: int) -> Ticket | None:
        """Return whose request a reply is for; None if nobody waits for it any more."""
        return self._asked.pop(number, None)

    def expect(self, index: int, term: int, ticket: Ticket) -> None:
        """Wait until the entry at `index` is applied: it is the caller's if it is of `term`."""
        self._waiting.setdefault(index, []).append((term, ticket))

    def applied(self, index: int, term: int, result: bytes) -> None:
        """Tell those who wait for an entry."""
        for expected, ticket in self._waiting.pop(index, ()):
            ticket.done(result if expected == term else Unknown("another command took its place in the log"))

    def skipped(self, index: int, result_of: Callable[[bytes], bytes | None]) -> None:
        """Tell those who wait for entries up to `index`, which a snapshot stands for."""
        for at in [at for at in self._waiting if at <= index]:
            for _, ticket in self._waiting.pop(at):
                result = result_of(ticket.request_id)
                ticket.done(Unknown("a snapshot covers it") if result is None else result)

    def leader_changed(self) -> None:
        """Tell those who have no answer from the leader that was."""
        asked, self._asked = self._asked, {}
        _give_up(asked.values(), "the leader changed before it answered")

    def expire(self, now: float) -> None:
        """Tell those whose time is over."""
        late = [number for number, ticket in self._asked.items() if ticket.deadline < now]
        _give_up([self._asked.pop(number) for number in late], _LATE)
        for index in list(self._waiting):
            rows = self._waiting[index]
            if any(ticket.deadline < now for _, ticket in rows):
                _give_up([ticket for _, ticket in rows if ticket.deadline < now], _LATE)
                rows[:] = [row for row in rows if row[1].deadline >= now]
                if not rows:
                    del self._waiting[index]

    def close(self) -> None:
        """Tell everybody that this member stops."""
        self.leader_changed()
        waiting, self._waiting = self._waiting, {}
        _give_up([ticket for rows in waiting.values() for _, ticket in rows], "this member stopped")


_LATE = "it was not committed in time"


def _give_up(tickets: Iterable[Ticket], why: str) -> None:
    for ticket in tickets:
        ticket.done(Unknown(why))
