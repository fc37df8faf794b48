"""Who is dialed where: members where the configuration says, or where they say themselves since it was made."""

from __future__ import annotations

from wire.raft.types import Configuration, Member, MemberId


class Addresses:
    """What members say of themselves counts until the configuration says something else than it did then.

    `changed` says that somebody is to be dialed who was not, or elsewhere, since `to_dial` was asked.
    """

    def __init__(self) -> None:
        """Begin with what configurations say."""
        self.changed = False
        self._said: dict[MemberId, tuple[str, str]] = {}
        self._stranger: dict[MemberId, str] = {}

    def say(self, now: Configuration, member: Member) -> bool:
        """Learn where a member says that it is reached; return whether that is news. Others are not listened to."""
        listed = now.member(member.id)
        if listed is None or self.of(now)[member.id] == member.address:
            return False
        self._said[member.id] = listed.address, member.address
        self.changed = True
        return True

    def meet(self, stranger: Member) -> bool:
        """Learn of somebody who is no member, and has to be answered; return whether that is news.

        Only the last one is remembered, until a leader is known.
        """
        if self._stranger.get(stranger.id) == stranger.address:
            return False
        self._stranger = {stranger.id: stranger.address}
        self.changed = True
        return True

    def to_dial(self, now: Configuration, leader: MemberId | None) -> dict[MemberId, str]:
        """Return who is to be dialed, and where."""
        members, self.changed = self.of(now), False
        if leader in members:
            self._stranger = {}
        return {**self._stranger, **members}

    def moved(self, now: Configuration) -> tuple[Member, ...]:
        """Return those who say that they are reached elsewhere than the configuration says."""
        listed = {each.id: each.address for each in now.members}
        return tuple(Member(id_, address) for id_, address in self.of(now).items() if address != listed[id_])

    def of(self, now: Configuration) -> dict[MemberId, str]:
        """Return where to dial each member."""
        found = {each.id: each.address for each in now.members}
        self._said = {id_: pair for id_, pair in self._said.items() if found.get(id_) == pair[0]}
        return found | {id_: address for id_, (_, address) in self._said.items()}
