"""Messages between simulated machines: on their way as bytes, and what may happen to them there.

Lines are between machines: what was meant for a member reaches whoever is there by now, under another incarnation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from tests.sim.raft.clock import VirtualTime
from wire.raft.transport.messages import Message, decode, encode
from wire.raft.types import MemberId

Deliver = Callable[[MemberId, MemberId, Message], None]
Schedule = Callable[[float, Callable[[], None]], None]


def machine_of(member: str) -> str:
    """Return where a member is: its name without the incarnation."""
    return member.rpartition("/")[0]


class Network:
    """Either chaos (drops, duplicates, any order) or lines that keep order until they break, as TCP's do."""

    def __init__(self, rng: random.Random, time: VirtualTime, schedule: Schedule, deliver: Deliver) -> None:
        self._rng = rng
        self._time = time
        self._schedule = schedule
        self._deliver = deliver
        self.chaotic = rng.random() < 0.5
        self.drop = rng.choice([0.0, 0.02, 0.1, 0.2]) if self.chaotic else 0.0
        self.duplicate = rng.choice([0.0, 0.05, 0.2]) if self.chaotic else 0.0
        self.slow = rng.choice([0.0, 0.05, 0.2])
        self.delay_s = rng.choice([0.01, 0.05, 0.3])
        self._cut: set[tuple[str, str]] = set()
        self._last: dict[tuple[str, str], float] = {}
        self._epoch: dict[tuple[str, str], int] = {}

    def send(self, sender: MemberId, to: MemberId, message: Message) -> None:
        line = (machine_of(sender), machine_of(to))
        raw = encode(message)
        copies = 1
        if self.chaotic:
            if self._rng.random() < self.drop:
                return
            copies += self._rng.random() < self.duplicate
        for _ in range(copies):
            delay = self._rng.uniform(0.0005, self.delay_s)
            if self._rng.random() < self.slow:
                delay += self._rng.expovariate(0.5)
            if not self.chaotic:
                now = self._time.now
                at = max(now + delay, self._last.get(line, 0.0) + 1e-6)
                self._last[line] = at
                delay = at - now
            self._schedule(delay, self._arrival(sender, to, raw, self._epoch.get(line, 0)))

    def _arrival(self, sender: MemberId, to: MemberId, raw: bytes, epoch: int) -> Callable[[], None]:
        line = (machine_of(sender), machine_of(to))

        def arrive() -> None:
            broken = not self.chaotic and epoch != self._epoch.get(line, 0)
            if line not in self._cut and not broken:
                self._deliver(sender, to, decode(raw))

        return arrive

    def cut(self, some: Iterable[str], others: Iterable[str], *, both_ways: bool) -> None:
        others = [machine_of(each) for each in others]
        for one in map(machine_of, some):
            for other in others:
                self._break(one, other)
                self._cut.add((one, other))
                if both_ways:
                    self._break(other, one)
                    self._cut.add((other, one))

    def _break(self, one: str, other: str) -> None:
        self._epoch[one, other] = self._epoch.get((one, other), 0) + 1

    def break_lines(self, member: str, others: Iterable[str]) -> None:
        """Lose what is under way to and from a member, as when its process ends."""
        one = machine_of(member)
        for other in map(machine_of, others):
            self._break(one, other)
            self._break(other, one)

    def heal(self) -> None:
        self._cut.clear()

    def calm(self) -> None:
        """Lose nothing any more."""
        self.heal()
        self.drop = self.duplicate = self.slow = 0.0
        self.delay_s = 0.02
