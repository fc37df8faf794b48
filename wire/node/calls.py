"""What nodes ask each other for, besides consensus."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wire.node.rpc.messages import Method
from wire.raft import Member


class Renewal(Struct, frozen=True):
    """A node is there, under this id and at this address."""

    member: Member


class Renewed(Struct, frozen=True):
    """The leader has heard it."""


class Joining(Struct, frozen=True):
    """A node without a cluster asks to be let in."""

    member: Member


class Joined(Struct, frozen=True):
    """The node is let in, if `cluster` is there; else it is to ask at `leader`, or later where nobody leads."""

    cluster: str | None = None
    leader: str | None = None


RENEW: Final = Method("lease.renew", Renewal, Renewed)
GIVE_UP: Final = Method("lease.give_up", Renewal, Renewed)
"""Says that a node has stopped its work, so that nobody waits for its lease to be over."""
JOIN: Final = Method("membership.join", Joining, Joined, for_strangers=True)
