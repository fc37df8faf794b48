"""What nodes ask each other for, besides consensus."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wire.api import views
from wire.node.membership.founding import Standing
from wire.node.rpc.messages import Method
from wire.raft import Member


class Renewal(Struct, frozen=True):
    """A node is there, under this id and at this address; and it has heard that these are elsewhere than is known."""

    member: Member
    moved: tuple[Member, ...] = ()


class Renewed(Struct, frozen=True):
    """The leader has heard it."""


class Joining(Struct, frozen=True):
    """A node without a cluster asks to be let in, with a token if it was given one."""

    member: Member
    token: str | None = None

    def __repr__(self) -> str:
        return f"Joining({self.member!r})"  # I9


class Joined(Struct, frozen=True):
    """The node is let in, if `cluster` is there; else it is to ask at `leader`, or later where nobody leads."""

    cluster: str | None = None
    leader: str | None = None


class Change(Struct, frozen=True):
    """The members are to change: `id_` is the id or the name of one. Asked for again under one id, it is done once."""

    id_: str
    actor: str
    request_id: bytes


class Changed(Struct, frozen=True):
    """They have."""


class Transfer(Struct, frozen=True):
    """Another node is to lead, by its id or its name, or whichever."""

    to: str | None


class Addition(Struct, frozen=True):
    """The node that waits at `address` is to be a member."""

    address: str


class Who(Struct, frozen=True):
    """Somebody wants to know who is there."""


class Invitation(Struct, frozen=True):
    """The node that is asked is a member of that cluster now."""

    cluster: str


class Welcomed(Struct, frozen=True):
    """It knows, and will not forget."""


RENEW: Final = Method("lease.renew", Renewal, Renewed)
GIVE_UP: Final = Method("lease.give_up", Renewal, Renewed)
"""Says that a node has stopped its work, so that nobody waits for its lease to be over."""
JOIN: Final = Method("membership.join", Joining, Joined, for_strangers=True)
WELCOME: Final = Method("membership.welcome", Invitation, Welcomed, for_strangers=True)
ADD: Final = Method("members.add", Addition, views.Member)
REMOVE: Final = Method("members.remove", Change, Changed)
LEAVE: Final = Method("members.leave", Change, views.Member)
TRANSFER: Final = Method("members.transfer_leadership", Transfer, views.Cluster)
"""What only the leader can do: whoever is asked for it has the leader do it."""
WHO: Final = Method("membership.who", Who, Standing, for_strangers=True)
