"""Keeps changes of a document that share a version in their order.

All changes of a MongoDB transaction have one version, and Elasticsearch lets the one that arrives last win. So of
several bulk requests at once a later one waits for an earlier one it has a document and version in common with, and
what failed for now takes along, when it is repeated, what comes behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wire.core.errors import RetryableError
from wire.sinks.elasticsearch.actions import Action, Misfit

Tie = tuple[str | None, str, int | None]


def tie_of(action: Action) -> Tie:
    """Return what actions share that have to stay in order."""
    return action.index, action.id, action.version


class Turn:
    """A write: the ties in it, and which of them have failed for now, in this write or in an earlier one."""

    def __init__(self, actions: Sequence[Action]) -> None:
        """Begin with nothing failed."""
        self.ties = {tie_of(action) for action in actions}
        self.failed: dict[Tie, RetryableError] = {}
        self.over = asyncio.Event()

    def divide(self, actions: Sequence[Action]) -> tuple[Sequence[Action], Sequence[Action]]:
        """Return the actions that may be sent, and those that a failed one of an earlier write has to go before."""
        if not self.failed:
            return actions, ()
        free = [action for action in actions if tie_of(action) not in self.failed]
        return free, [action for action in actions if tie_of(action) in self.failed]

    def judge(self, actions: Sequence[Action], verdicts: Sequence[Misfit]) -> list[Misfit]:
        """Learn the verdicts on what was sent; return those on all others that have to go behind what has failed."""
        known = dict(verdicts)
        if not self.failed and not any(isinstance(error, RetryableError) for error in known.values()):
            return []
        behind: list[Misfit] = []
        for action in actions:
            tie, error = tie_of(action), known.get(action.place)
            if isinstance(error, RetryableError):
                self.failed.setdefault(tie, error)
            elif error is None and tie in self.failed:
                behind.append((action.place, self.failed[tie]))
        return behind


class Ties:
    """The writes under way."""

    def __init__(self) -> None:
        """Begin with none."""
        self._under_way: list[Turn] = []

    @asynccontextmanager
    async def turn(self, actions: Sequence[Action]) -> AsyncIterator[Turn]:
        """Wait until no earlier write that shares a tie with these actions is under way; writes are in call order."""
        turn = Turn(actions)
        earlier = [other for other in self._under_way if not other.ties.isdisjoint(turn.ties)]
        self._under_way.append(turn)
        try:
            for other in earlier:
                await other.over.wait()
                turn.failed |= {tie: error for tie, error in other.failed.items() if tie in turn.ties}
            yield turn
        except RetryableError as exc:
            turn.failed |= dict.fromkeys(turn.ties, exc)
            raise
        finally:
            self._under_way.remove(turn)
            turn.over.set()
