"""What others may want to hear of consensus, as soon as this member knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

import structlog
from msgspec import Struct

from wire.raft.types import Configuration, MemberId


class LeaderChanged(Struct, frozen=True):
    """Another member leads now, or none that is known."""

    leader: MemberId | None
    term: int


class MembersChanged(Struct, frozen=True):
    """The members are these now."""

    members: Configuration


class MemberRemoved(Struct, frozen=True):
    """This member was removed from the cluster, for good."""


log = structlog.get_logger()

Event: TypeAlias = LeaderChanged | MembersChanged | MemberRemoved


class _Seen(Protocol):
    removed: bool

    @property
    def term(self) -> int: ...
    @property
    def leader(self) -> MemberId | None: ...
    @property
    def configuration(self) -> Configuration: ...
    @property
    def configuration_is_committed(self) -> bool: ...


class Watch:
    """Compares what is seen with what was seen before, and tells. `former` are ids that were members and are not."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.former: set[MemberId] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self._leader: MemberId | None = None
        self._members = self._settled = Configuration()
        self._committed: set[MemberId] = set()
        self._removed = False
        self._changed = asyncio.Event()

    def listen(self, callback: Callable[[Event], None]) -> None:
        """Call back with every event from now on."""
        self._listeners.append(callback)

    def see(self, now: _Seen) -> bool:
        """Tell what has changed; return whether anything has."""
        events: list[Event] = []
        members_changed = now.configuration != self._members
        if now.leader != self._leader:
            self._leader = now.leader
            events.append(LeaderChanged(now.leader, now.term))
        if now.configuration_is_committed and now.configuration is not self._settled:  # what is not may be taken back
            self._settled = now.configuration
            members = _ids(now.configuration)
            self.former |= self._committed - members
            self._committed = members
        if members_changed:
            self._members = now.configuration
            events.append(MembersChanged(now.configuration))
        if now.removed and not self._removed:
            self._removed = True
            events.append(MemberRemoved())
        if events:
            self._changed.set()
            self._changed = asyncio.Event()
        for event in events:
            for listener in tuple(self._listeners):
                try:
                    listener(event)
                except Exception:
                    log.exception("raft_listener_failed", about=str(event))
        return bool(events)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once something has changed so that the condition holds."""
        while not condition():
            await self._changed.wait()


def _ids(configuration: Configuration) -> set[MemberId]:
    return {each.id for each in (*configuration.voters, *configuration.learners)}
