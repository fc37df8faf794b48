"""Configurations made of configurations."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from wire.raft.types import Configuration, Member, MemberId

MAX_REMOVED: Final = 1000
"""So many of the removed are remembered (I8). Who is forgotten is a stranger: not heard unless somebody adds it."""


def with_learner(now: Configuration, member: Member) -> Configuration:
    """Return `now` with somebody who gets the log; with another address, where the member is there already."""
    if any(each.id == member.id for each in now.voters):
        return replace(now, voters=_put(now.voters, member))
    return replace(now, learners=_put(now.learners, member))


def with_voter(now: Configuration, id_: MemberId) -> Configuration:
    """Return `now` with a learner's vote. One that is no learner makes no difference."""
    member = next((each for each in now.learners if each.id == id_), None)
    if member is None:
        return now
    return replace(now, voters=_put(now.voters, member), learners=_but(now.learners, id_))


def without(now: Configuration, id_: MemberId) -> Configuration:
    """Return `now` without a member."""
    return replace(now, voters=_but(now.voters, id_), learners=_but(now.learners, id_))


def following(now: Configuration, wanted: Configuration) -> Configuration:
    """Return `wanted` as what comes after `now`: whoever is a member no more is one of the removed."""
    gone = [each.id for each in now.members if wanted.member(each.id) is None]
    return replace(wanted, removed=(*now.removed, *gone)[-MAX_REMOVED:])


def _but(members: tuple[Member, ...], id_: MemberId) -> tuple[Member, ...]:
    return tuple(each for each in members if each.id != id_)


def _put(members: tuple[Member, ...], member: Member) -> tuple[Member, ...]:
    return tuple(sorted((*_but(members, member.id), member)))
