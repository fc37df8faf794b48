"""Where members are reached: where the configuration says, or where they say themselves since it was made."""

from __future__ import annotations

from wire.raft.types import Configuration, Member, MemberId


class Addresses:
    """What members say of themselves counts until the configuration says something else than it did then."""

    def __init__(self) -> None:
        """Begin with what configurations say."""
        self._said: dict[MemberId, tuple[str, str]] = {}

    def say(self, now: Configuration, member: Member) -> bool:
        """Learn where a member says that it is reached; return whether that is news. Others are not listened to."""
        listed = now.member(member.id)
        if listed is None or self.of(now)[member.id] == member.address:
            return False
        self._said[member.id] = listed.address, member.address
        return True

    def moved(self, now: Configuration) -> tuple[Member, ...]:
        """Return those who say that they are reached elsewhere than the configuration says."""
        listed = {each.id: each.address for each in now.members}
        return tuple(Member(id_, address) for id_, address in self.of(now).items() if address != listed[id_])

    def of(self, now: Configuration) -> dict[MemberId, str]:
        """Return where to dial each member."""
        found = {each.id: each.address for each in now.members}
        self._said = {id_: pair for id_, pair in self._said.items() if found.get(id_) == pair[0]}
        return found | {id_: address for id_, (_, address) in self._said.items()}
