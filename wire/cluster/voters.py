"""Who of the members decides: as many as the operator wants, an odd number, replaced when they are gone."""

from __future__ import annotations

from collections.abc import Collection

from wire.raft.types import Configuration, MemberId


def next_voter(now: Configuration, alive: Collection[MemberId], max_voters: int) -> MemberId | None:
    """Return who is to get a vote next, None if all is as it should be.

    Votes are given in pairs, so that their number is odd again soon: an even number of voters survives no more deaths
    than the odd one below it. They are taken in order of their ids, so that a
    new leader goes on where the one before was.
    """
    most = max_voters if max_voters % 2 else max_voters - 1
    waiting = sorted(each.id for each in now.learners if each.id in alive)
    voters = len(now.voters)
    needed = 1 if voters % 2 == 0 else 2
    return waiting[0] if len(waiting) >= needed and voters + needed <= most else None


def keeps_quorum(now: Configuration, heard: Collection[MemberId], gone: MemberId) -> bool:
    """Say whether those who are heard of can still decide when `gone` is no member any more."""
    left = {each.id for each in now.voters if each.id != gone}
    return 2 * len(left.intersection(heard)) > len(left)
