"""Configurations made of configurations."""

from __future__ import annotations

from wire.raft.types import Configuration, Member, MemberId


def with_learner(now: Configuration, member: Member) -> Configuration:
    """Return `now` with somebody who gets the log; with another address, where the member is there already."""
    if any(each.id == member.id for each in now.voters):
        return Configuration(_put(now.voters, member), now.learners)
    return Configuration(now.voters, _put(now.learners, member))


def with_voter(now: Configuration, id_: MemberId) -> Configuration:
    """Return `now` with a learner's vote. One that is no learner makes no difference."""
    member = next((each for each in now.learners if each.id == id_), None)
    if member is None:
        return now
    return Configuration(_put(now.voters, member), tuple(each for each in now.learners if each.id != id_))


def without(now: Configuration, id_: MemberId) -> Configuration:
    """Return `now` without a member."""
    return Configuration(
        tuple(each for each in now.voters if each.id != id_), tuple(each for each in now.learners if each.id != id_)
    )


def _put(members: tuple[Member, ...], member: Member) -> tuple[Member, ...]:
    return tuple(sorted((*(each for each in members if each.id != member.id), member)))
