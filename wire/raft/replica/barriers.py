"""Linearizable reads (I7): a leader confirms with a quorum, after it was asked, that it still leads.

https://raft.github.io/raft.pdf §8; no clock takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from wire.raft.types import MemberId


class _Asked(Struct, eq=False):
    round: int
    index: int
    deadline: float
    confirmed: Callable[[int | None], None]


class Barriers:
    """Of one leadership. `round` only rises; it travels with every append, and replies bring it back."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self.round = 0
        self._asked: list[_Asked] = []
        self._rounds: dict[MemberId, int] = {}

    def next_round(self) -> int:
        """Return a round that only replies to what is sent from now on will bring."""
        self.round += 1
        return self.round

    def ask(self, index: int, deadline: float, confirmed: Callable[[int | None], None]) -> None:
        """Call `confirmed` with `index` once a quorum has answered a message that is sent from now on, or with None."""
        self.next_round()
        self._asked.append(_Asked(self.round, index, deadline, confirmed))

    def answered(self, member: MemberId, round_: int) -> None:
        """Learn that a member took this leader for its own when it got the message of that round."""
        self._rounds[member] = max(round_, self._rounds.get(member, 0))

    def settle(self, is_quorum: Callable[[Iterable[MemberId]], bool]) -> None:
        """Tell those whose round a quorum has answered."""
        while self._asked:
            first = self._asked[0]
            if not is_quorum(member for member, round_ in self._rounds.items() if round_ >= first.round):
                return
            del self._asked[0]
            first.confirmed(first.index)

    def expire(self, now: float) -> None:
        """Tell those whose time is over that nothing is known."""
        late = [asked for asked in self._asked if asked.deadline < now]
        self._asked = [asked for asked in self._asked if asked.deadline >= now]
        for asked in late:
            asked.confirmed(None)

    def lost(self) -> None:
        """Tell everybody that this member does not lead any more."""
        asked, self._asked, self._rounds = self._asked, [], {}
        for each in asked:
            each.confirmed(None)
