"""What consensus is about, in words of its own: members, configurations, outcomes, status, and the ports around it.

Pure: no I/O, no clock. Nothing here knows of the library underneath.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NewType, Protocol

from msgspec import Struct

MemberId = NewType("MemberId", str)
"""`name/incarnation`. An incarnation is a UUID on the member's disk: the same name on an empty disk is somebody new."""


class Member(Struct, frozen=True, order=True):
    """Who takes part, and where it is reached (`host:port`)."""

    id: MemberId
    address: str

    @property
    def name(self) -> str:
        """The part of the id that an operator chose."""
        return self.id.rpartition("/")[0]


class Configuration(Struct, frozen=True):
    """All members. `voters` decide; `learners` get the log and have no vote. Both sorted, without anybody in common.

    `removed` are those who were members and never will be again, the last one last; of very many the first are gone.
    """

    voters: tuple[Member, ...] = ()
    learners: tuple[Member, ...] = ()
    removed: tuple[MemberId, ...] = ()

    @property
    def members(self) -> tuple[Member, ...]:
        """Voters and learners."""
        return (*self.voters, *self.learners)

    def member(self, id_: MemberId) -> Member | None:
        """Return the member of that id, None if there is none."""
        return next((each for each in self.members if each.id == id_), None)


class Entry(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """One position of the log. `command` begins with a byte that says what kind it is."""

    index: int
    term: int
    command: bytes


class Vote(Struct, frozen=True):
    """What a voter must never forget: the newest term it knows, and whom it voted for in that term."""

    term: int = 0
    candidate: MemberId | None = None


class Role(Enum):
    """What a member is at the moment."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"
    LEARNER = "learner"
    REMOVED = "removed"


class Rejected(Struct, frozen=True):
    """The proposal was not taken and never will be; `code` is one of `raft.*`, `leader` whom to ask instead."""

    code: str
    message: str
    leader: Member | None = None


class Unknown(Struct, frozen=True):
    """Whether the proposal was taken is not known; proposing it again with the same request id is safe."""

    message: str


class StateMachine(Protocol):
    """What the log is applied to. The same log gives the same state on every member (I6)."""

    def apply(self, index: int, command: bytes) -> bytes:
        """Apply a committed command and return its result. Never raises: what it refuses it says in the result.

        But for a FatalError where it does not know what the command is: that ends the member, which has not applied it.
        Called once for each index, in order. Must return within a millisecond or so: heartbeats wait for it.
        """
        ...

    def snapshot(self) -> Iterator[bytes]:
        """Return the state as of now, in chunks of at most a MiB, each made within a few milliseconds.

        Commands are applied while the iterator is used, and do not change what it gives; it is used in another thread.
        """
        ...

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replace the state by what `snapshot` gave.

        Called in another thread, while the state may be read: it must become another one at once, not bit by bit.
        """
        ...
