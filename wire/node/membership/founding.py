"""How blank nodes found one cluster together: what a node does next, given what it and the others say of themselves.

    blank ──► agreed to a list ──► founded, once all of the list have agreed
      ▲              │ ▲
      │              ▼ │ somebody of the list has founded after all
      └────────── withdrawn          (what comes back blank is somebody new)

Nodes only ask; nobody is told anything, so a message that is late or lost changes nothing. What a node says of itself
is on its disk before it says so, and it asks anew after each change of it. Then these hold:

- **F1** An incarnation agrees to one list at most. The list names that incarnation, and nobody joins a cluster with it.
- **F2** A list is founded by nodes that have agreed to it, and once each of them has.
- **F3** A node agrees only while all it was told of answer, are blank, and are as many as expected.
- **F4** Who has withdrawn does not count as agreed, and becomes somebody new only when nobody who lives has founded the
  list or will.

At the moment when the youngest incarnation of a list came to be, all of its nodes were blank (F1 to F3): there was no
cluster then, and of the lists of the same nodes that they agree to from then on none but one gets all of them. So there
are never two clusters of which anything is left, wherever nodes crash, lose their disks or can't hear each other. F4 is
for the cluster that was founded: it does not lose its votes to those who gave it up.

Pure: no I/O, no clock.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from wire.raft.types import Member, MemberId

_NAMESPACE: Final = uuid.UUID("5f0b1f2e-2c3a-5d0e-9a53-6c1f2f0f6a11")


class Standing(Struct, frozen=True, kw_only=True):
    """What a node says of itself: who it is, its cluster, and before that the list it has agreed to.

    `expect` is how many are to found a cluster, None where the node waits to be let into one.
    """

    member: Member
    expect: int | None = None
    cluster: str | None = None
    agreed: tuple[Member, ...] | None = None
    withdrawn: bool = False


class Wait(Struct, frozen=True):
    """Ask again later: so many of the nodes are met, this one included, and this is what keeps them from going on."""

    met: int
    reason: str


class Agree(Struct, frozen=True):
    """Agree to this list."""

    members: tuple[Member, ...]


class Withdraw(Struct, frozen=True):
    """Give the list up, if the others do."""


class Resume(Struct, frozen=True):
    """Take that back."""


class Renew(Struct, frozen=True):
    """Become somebody new, who has agreed to nothing."""


class Found(Struct, frozen=True):
    """Found the cluster of this list."""

    members: tuple[Member, ...]


class Join(Struct, frozen=True):
    """Ask to be let into this cluster."""

    cluster: str


Step: TypeAlias = Wait | Agree | Withdraw | Resume | Renew | Found | Join


def cluster_of(members: Iterable[Member]) -> str:
    """Return the id of the cluster that these found: other incarnations would found another one."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(sorted(each.id for each in members))))


class Meeting:
    """One node's way into a cluster, round by round."""

    def __init__(self) -> None:
        """Know nobody."""
        self._gone: frozenset[MemberId] = frozenset()

    def next_step(self, me: Standing, answers: Mapping[str, Standing | None]) -> Step:
        """Return what to do after a round, which began after the step before was done.

        `answers` are by address, None where none came; this node's own may be among them.
        """
        others = {each.member.id: each for each in answers.values() if each and each.member.id != me.member.id}
        clusters = sorted({each.cluster for each in others.values() if each.cluster is not None})
        if me.agreed is None:
            return _join(others.values(), clusters) if clusters else _blank(me, answers, others)
        rest = [each for each in me.agreed if each.id != me.member.id]
        if cluster_of(me.agreed) in clusters:  # F2: so each of us had agreed
            return Resume() if me.withdrawn else Found(me.agreed)
        if clusters:
            return Renew()
        step = self._withdrawn(me, rest, others) if me.withdrawn else self._agreed(me, rest, others)
        self._gone |= _replaced(rest, others)
        return step

    def _agreed(self, me: Standing, rest: Sequence[Member], others: Mapping[MemberId, Standing]) -> Step:
        agreed = me.agreed or ()
        if all(each.id in others and _stands_by(others[each.id], agreed) for each in rest):
            return Found(agreed)
        if _replaced(rest, others) or any(
            each.id in others and others[each.id].agreed is not None and not _stands_by(others[each.id], agreed)
            for each in rest
        ):
            return Withdraw()
        return _wait_for(rest, others, "agreed to found a cluster")

    def _withdrawn(self, me: Standing, rest: Sequence[Member], others: Mapping[MemberId, Standing]) -> Step:
        """F4: those who are gone were so before this round, so what they said has been heard by all who heard it."""
        agreed = me.agreed or ()
        if all(
            each.id in self._gone or (each.id in others and not _stands_by(others[each.id], agreed)) for each in rest
        ):
            return Renew()
        return _wait_for(rest, others, "is giving up to found a cluster")


def _blank(me: Standing, answers: Mapping[str, Standing | None], others: Mapping[MemberId, Standing]) -> Step:
    """F3."""
    met = len(others) + 1
    silent = sorted(address for address, answer in answers.items() if answer is None)
    if silent:
        return Wait(met, f"no answer from {_words(silent)}")
    if met != me.expect:
        return Wait(met, f"{met} nodes are there, this one included, and {me.expect} are expected")
    foreign = [each for each in others.values() if each.expect != me.expect]
    if foreign:
        return Wait(met, f"{foreign[0].member.name} expects {foreign[0].expect or 'to be let into a cluster'}")
    members = tuple(sorted((me.member, *(each.member for each in others.values()))))
    if len({each.name for each in members}) < met:
        return Wait(met, f"two nodes have the same name: {_words([each.id for each in members])}")
    return _offered(me, members, others)


def _offered(me: Standing, members: tuple[Member, ...], others: Mapping[MemberId, Standing]) -> Step:
    """Agree to what the node of the smallest name has agreed to; the one that has it when nobody is bound."""
    first = min(members, key=lambda each: each.name)
    offer = members if first == me.member else others[first.id].agreed
    bound = [each for each in others.values() if each.agreed is not None]
    if offer is None:
        return Wait(len(members), f"{first.name} has not made a list yet")
    if first == me.member and bound:
        return Wait(len(members), f"{bound[0].member.name} is giving up an older list")
    if {each.id for each in offer} != {each.id for each in members} or not all(
        _stands_by(each, offer) for each in bound
    ):
        return Wait(len(members), f"{first.name} is giving up an older list")
    return Agree(offer)


def _join(others: Iterable[Standing], clusters: Sequence[str]) -> Step:
    if len(clusters) == 1:
        return Join(clusters[0])
    places = [f"{each.member.name} is in {each.cluster}" for each in others if each.cluster is not None]
    return Wait(len(places) + 1, f"there are {len(clusters)} clusters: {', '.join(sorted(places))}")


def _wait_for(rest: Sequence[Member], others: Mapping[MemberId, Standing], what: str) -> Wait:
    absent = [f"{each.name} ({each.address})" for each in rest if each.id not in others]
    met = len(rest) + 1 - len(absent)
    if not absent:
        return Wait(met, f"this node has {what}, and waits for the others to say so")
    return Wait(met, f"this node {'' if what.startswith('is') else 'has '}{what}, and waits for {_words(absent)}")


def _replaced(rest: Iterable[Member], others: Mapping[MemberId, Standing]) -> frozenset[MemberId]:
    """Return those in whose place somebody new has answered: they will not come back."""
    names = {each.member.name for each in others.values()}
    return frozenset(each.id for each in rest if each.id not in others and each.name in names)


def _stands_by(other: Standing, members: tuple[Member, ...]) -> bool:
    return other.agreed == members and not other.withdrawn


def _words(names: Sequence[str]) -> str:
    return ", ".join(names)
