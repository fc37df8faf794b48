"""Several members, and the messages that were sent: which choices there are, and what comes of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.small.automaton import Automaton
from tests.sim.raft.small.host import (
    Alter,
    Campaign,
    Choice,
    Deliver,
    Fuse,
    HandOver,
    Heartbeat,
    Propose,
    Read,
    Restart,
    Snapshot,
)
from tests.sim.raft.witness import compare, match
from wire.raft.transport.messages import Message
from wire.raft.types import Configuration, Member, MemberId


class Bounds(NamedTuple):
    """How many events of each kind there are at most; messages arrive as often as one likes."""

    campaigns: int = 0
    proposals: int = 0
    heartbeats: int = 0
    restarts: int = 0
    fuses: int = 0
    snapshots: int = 0
    reads: int = 0
    changes: int = 0
    handovers: int = 0

    def without(self, kind: int) -> Bounds:
        return Bounds(*(left - (at == kind) for at, left in enumerate(self)))


_KINDS: Final[dict[type, int]] = {
    kind: place
    for place, kind in enumerate((Campaign, Propose, Heartbeat, Restart, Fuse, Snapshot, Read, Alter, HandOver))
}
"""Which of the bounds a choice uses up; messages none."""
_FUSE_AT: Final = (1, 2)


class State(NamedTuple):
    """Of a world: each member's, which messages were sent (a bit for each), and what may yet happen.

    Members are alike until they campaign, so that the first to do so may be taken to be n0, the next one n1:
    `campaigned` counts them.
    """

    locals: tuple[int, ...]
    sent: int
    left: Bounds
    campaigned: int


class Step(NamedTuple):
    """A choice at a member."""

    at: int
    choice: Choice

    @property
    def kind(self) -> int | None:
        """Which of the bounds it uses up, None for a message."""
        return _KINDS.get(type(self.choice))


class SmallWorld:
    """`voters` found the cluster, and so many `strangers` may join it."""

    def __init__(self, bounds: Bounds, *, voters: int = 3, strangers: int = 0) -> None:
        self.members = [Member(MemberId(f"n{n}/a"), f"n{n}:1") for n in range(voters + strangers)]
        self._founders = Configuration(tuple(self.members[:voters]))
        self.automata = [Automaton(member, self._founders) for member in self.members]
        self._places = {member.id: n for n, member in enumerate(self.members)}
        self._messages: dict[tuple[int, Deliver], int] = {}
        self._deliveries: list[Step] = []
        self._inert: list[dict[int, int]] = [{} for _ in self.members]
        self._agreed: set[tuple[int, int, int, int]] = set()
        self._bounds = bounds
        self.first = State((0,) * len(self.members), 0, bounds, 0)

    # choices

    def steps(self, state: State) -> Iterator[Step]:
        """Return everything that can happen next, but for messages of which it is known that nothing comes."""
        yield from self.arrivals(state, state.sent)
        for at in range(len(self.members)):
            yield from self._events(state, at)

    def arrivals(self, state: State, sent: int) -> Iterator[Step]:
        """Return which of some messages may arrive, but for those of which it is known that nothing comes."""
        waiting = sent
        for at, local in enumerate(state.locals):
            waiting &= ~self._inert[at].get(local, 0)
        while waiting:
            lowest = waiting & -waiting
            yield self._deliveries[lowest.bit_length() - 1]
            waiting ^= lowest

    def _events(self, state: State, at: int) -> Iterator[Step]:
        left, local = state.left, self.automata[at].locals[state.locals[at]]
        if local.leadership is None:
            if left.campaigns and local.is_voter and at <= state.campaigned:
                yield Step(at, Campaign())
        else:
            if left.proposals:
                yield Step(at, Propose(b"v%d" % (self._bounds.proposals - left.proposals)))
            if left.heartbeats:
                yield Step(at, Heartbeat())
            if left.handovers:
                yield Step(at, HandOver())
            if left.changes:
                for wanted in self._configurations(local.configuration):
                    yield Step(at, Alter(wanted))
        if left.reads:
            yield Step(at, Read(self.confirmed(state)))
        if left.snapshots and local.fresh:
            yield Step(at, Snapshot())
        if left.restarts and state.locals[at]:
            yield Step(at, Restart())
        if left.fuses and not local.lit:
            for sync in _FUSE_AT:
                yield Step(at, Fuse(sync))

    def _configurations(self, now: Configuration) -> Iterator[Configuration]:
        for member in self.members:
            if member in now.voters:
                yield Configuration(tuple(each for each in now.voters if each != member), now.learners)
            elif member in now.learners:
                rest = tuple(each for each in now.learners if each != member)
                yield Configuration(tuple(sorted((*now.voters, member))), rest)
            else:
                yield Configuration(now.voters, tuple(sorted((*now.learners, member))))

    def sender(self, step: Step) -> int | None:
        """Return whose message it is that arrives, None where none does."""
        return self._places[step.choice.sender] if isinstance(step.choice, Deliver) else None

    def confirmed(self, state: State) -> int:
        """Return how many values some client has heard of: that they are kept, or in a read."""
        return max(a.locals[s].witness.confirmed for a, s in zip(self.automata, state.locals, strict=True))

    # what comes of them

    def take(self, state: State, step: Step) -> State:
        """Return the state after a step; the same one where nothing comes of it. Raises ViolationError."""
        (at, choice), kind = step, step.kind
        before = state.locals[at]
        after, new = self.automata[at].step(before, choice)
        sent = state.sent
        for to, message in new:
            sent |= self._bit(at, to, message)
        if after == before and sent == state.sent:
            if kind is None and not new:
                bit = 1 << self._messages[at, choice]  # type: ignore[index]
                self._inert[at][before] = self._inert[at].get(before, 0) | bit
            return state
        locals_ = (*state.locals[:at], after, *state.locals[at + 1 :])
        self._check(locals_, at)
        left = state.left if kind is None else state.left.without(kind)
        campaigned = max(state.campaigned, at + 1) if type(choice) is Campaign else state.campaigned
        return State(locals_, sent, left, campaigned)

    def _bit(self, sender: int, to: MemberId, message: Message) -> int:
        place = self._places[to]
        delivery = Deliver(self.members[sender].id, message)
        number = self._messages.setdefault((place, delivery), len(self._deliveries))
        if number == len(self._deliveries):
            self._deliveries.append(Step(place, delivery))
        return 1 << number

    def _check(self, states: tuple[int, ...], at: int) -> None:
        """Compare one member, which has changed, with the others."""
        mine = self.automata[at].locals[states[at]]
        for other, state in enumerate(states):
            if other == at or (at, states[at], other, state) in self._agreed:
                continue
            theirs = self.automata[other].locals[state]
            one, two = self.members[at].id, self.members[other].id
            compare(one, mine.witness, two, theirs.witness)
            match(one, mine.log, two, theirs.log)
            for leader, local, witness in ((one, mine, theirs.witness), (two, theirs, mine.witness)):
                lacking = local.leadership.lacks(witness) if local.leadership is not None else None
                if lacking is not None:
                    raise ViolationError(f"{leader} leads without the committed entry {lacking}")
            self._agreed.add((at, states[at], other, state))
