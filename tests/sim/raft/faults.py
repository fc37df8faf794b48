"""What happens to a simulated cluster, and to its members: seeded, then a calm in which it has to come together."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

from tests.sim.raft.checks import ViolationError
from tests.sim.raft.world import Node, World
from wire.raft.replica.library import Peer
from wire.raft.replica.proposals import Outcome
from wire.raft.replica.replica import Replica
from wire.raft.types import Configuration, Member, MemberId, Rejected

CALM_S = 40.0
_PROPOSED_IN_CALM_S = (2, 4, 7, 11, 15, 20, 25)


def trial(seed: int) -> Trial:
    """Return what a seed stands for: every other one changes members, too."""
    return Trial(seed, membership=seed % 2 == 1)


def play(seed: int) -> Counter[str]:
    """Run what a seed stands for; changes of members that were made and machines that were emptied are told."""
    one = trial(seed)
    one.run()
    return one.met


class Trial:
    """One seed: clients at work under faults for a while, then the end, which is checked."""

    def __init__(self, seed: int, *, membership: bool, seconds: float = 40.0, replica: type[Replica] = Replica) -> None:
        self.world = World(seed, voters=[3, 3, 4, 5][seed % 4], replica=replica)
        self.rng = self.world.rng
        self._membership = membership
        self._seconds = seconds
        self._values = itertools.count()
        self._incarnations = itertools.count()
        self._calm = False
        self._last = -1
        self._lost: MemberId | None = None
        self.met: Counter[str] = Counter()

    def run(self) -> None:
        world = self.world
        for node in list(world.nodes.values()):
            world.start(node)
        self._repeat(self._client, 4.0)
        self._repeat(self._fault, 1.2)
        if self._membership:
            self._repeat(self._member, 0.6)
        world.run(self._seconds)
        self._come_to_rest()
        self._check_end()

    def _repeat(self, action: Callable[[], None], per_second: float) -> None:
        def again() -> None:
            if not self._calm:
                action()
                self._repeat(action, per_second)

        self.world.after(self.rng.expovariate(per_second), again)

    # clients

    def _client(self) -> None:
        alive = [node for node in self.world.nodes.values() if node.replica is not None]
        if not alive:
            return
        leaders = self.world.leaders()
        node = self.rng.choice(leaders if leaders and self.rng.random() < 0.6 else alive)
        for _ in range(self.rng.choice([1, 1, 1, 8])):
            self.world.propose(node, b"v%d" % next(self._values))
        if self.rng.random() < 0.4:
            self.world.read(self.rng.choice(alive))

    # faults

    def _fault(self) -> None:
        faults = [
            self._crash, self._crash, self._crash_all, self._fuse, self._fuse, self._partition, self._partition,
            self._isolate, self._one_way, self._bridge, self._pause, self._full_disk, self._failing_disk,
            self.world.network.heal, self.world.network.heal,
        ]  # fmt: skip
        self.rng.choice(faults)()

    def _victim(self) -> Node:
        leaders = self.world.leaders()
        nodes = list(self.world.nodes.values())
        return self.rng.choice(leaders if leaders and self.rng.random() < 0.5 else nodes)

    def _crash(self) -> None:
        self.world.crash(self._victim())

    def _crash_all(self) -> None:
        if self.rng.random() < 0.4:
            for node in self.world.nodes.values():
                self.world.crash(node)

    def _fuse(self) -> None:
        node = self._victim()
        files = self.rng.choice([node.log_files, node.log_files, node.snapshot_files])
        files.fuse = self.rng.randint(1, self.rng.choice([8, 30]))

    def _full_disk(self) -> None:
        node = self._victim()
        folders = [node.log_files, node.snapshot_files]
        for files in self.rng.choice([folders, folders[:1], folders[1:]]):
            files.room = self.rng.randint(0, self.rng.choice([400, 4000]))
        self.world.after(self.rng.uniform(0.5, 4), lambda: self._give_room(node))

    def _give_room(self, node: Node) -> None:
        node.log_files.room = node.snapshot_files.room = None

    def _failing_disk(self) -> None:
        node = self._victim()
        files = self.rng.choice([node.log_files, node.snapshot_files])
        files.fail_sync_in = self.rng.choice([1, 1, 2, 3])

    def _partition(self) -> None:
        names = list(self.world.nodes)
        self.rng.shuffle(names)
        at = self.rng.randint(1, len(names) - 1)
        self._cut(names[:at], names[at:], both_ways=True)

    def _isolate(self) -> None:
        one = self._victim().member.id
        self._cut([one], [each for each in self.world.nodes if each != one], both_ways=True)

    def _one_way(self) -> None:
        one = self._victim().member.id
        others = [each for each in self.world.nodes if each != one]
        pair = ([one], others) if self.rng.random() < 0.5 else (others, [one])
        self._cut(*pair, both_ways=False)

    def _bridge(self) -> None:
        """Two halves that only one member sees both of."""
        names = list(self.world.nodes)
        self.rng.shuffle(names)
        at = len(names) // 2
        self._cut(names[:at], names[at + 1 :], both_ways=True)

    def _cut(self, some: list[MemberId], others: list[MemberId], *, both_ways: bool) -> None:
        self.world.network.cut(some, others, both_ways=both_ways)
        if self.rng.random() < 0.8:
            self.world.after(self.rng.choice([1, 3, 6]) * self.rng.random(), self.world.network.heal)

    def _pause(self) -> None:
        node = self._victim()
        node.paused = node.replica is not None
        self.world.after(self.rng.choice([0.5, 2, 5]) * self.rng.random(), lambda: self._resume(node))

    def _resume(self, node: Node) -> None:
        if node.paused:
            held, node.paused, node.held = node.held, False, []
            for each in held:
                each()

    # members

    def _member(self) -> None:
        leaders = self.world.leaders()
        if not leaders:
            return
        node = self.rng.choice(leaders)
        action = self.rng.choice([self._join, self._promote, self._promote, self._remove, self._hand_over, self._wipe])
        self.world.turn(node, action)

    def _changed(self, _: Outcome) -> None:
        if isinstance(_, bytes):
            self.met["a change of members"] += 1

    def _join(self, leader: Replica) -> None:
        if len(leader.configuration.voters) + len(leader.configuration.learners) >= 6:
            return
        member = Member(MemberId(f"m{next(self._incarnations)}/a"), "m:1")
        self._add(leader, member)

    def _add(self, leader: Replica, member: Member) -> None:
        wanted = Configuration(leader.configuration.voters, (*leader.configuration.learners, member))
        node = self.world.add(member)

        def done(outcome: Outcome) -> None:
            self._changed(outcome)

        leader.change(wanted, 3.0, done)
        self.world.start(node)

    def _promote(self, leader: Replica) -> None:
        newest = leader.configuration
        if newest.learners:
            one = self.rng.choice(newest.learners)
            rest = tuple(each for each in newest.learners if each != one)
            leader.change(Configuration(tuple(sorted((*newest.voters, one))), rest), 3.0, self._changed)

    def _remove(self, leader: Replica) -> None:
        newest = leader.configuration
        everybody = [*newest.voters, *newest.learners]
        one = self.rng.choice(everybody)
        if len(newest.voters) <= 2 or one.id == leader.me.id or self._lost is not None:
            return
        voters = tuple(each for each in newest.voters if each != one)
        learners = tuple(each for each in newest.learners if each != one)
        leader.change(Configuration(voters, learners), 3.0, self._changed)

    def _wipe(self, leader: Replica) -> None:
        """A machine loses its disks and comes back as somebody new, while who it was still has a vote.

        One at a time, and when no change of members is under way: any other voter may be needed for a majority.
        """
        newest = leader.configuration
        others = [each for each in newest.voters if each.id != leader.me.id]
        if self._lost is not None or len(newest.voters) <= 2 or not self._decides(leader):
            return
        one = self.rng.choice([max(others, key=lambda each: leader.match[Peer(each.id)]), self.rng.choice(others)])
        new = Member(MemberId(f"{one.name}/{next(self._incarnations)}"), one.address)
        if self.rng.random() < 0.5:  # whoever has what was lost is not heard either: nobody else may lead meanwhile
            self._cut([leader.me.id], [each for each in self.world.nodes if each != leader.me.id], both_ways=True)
        self._lost = one.id
        self.met["a machine emptied"] += 1
        self.world.replace(self.world.nodes[one.id], new)
        self.world.after(self.rng.expovariate(0.5), lambda: self._exchange(one.id, new))

    def _decides(self, leader: Replica) -> bool:
        """Say whether nobody leads a later term, and all changes of members until now are committed or void."""
        known = max(leader._configurations.index, leader.no_op_index or 0)
        return leader.term == self.world.checker.newest_term and leader.commit >= known

    def _exchange(self, old: MemberId, new: Member) -> None:
        """Have who was lost removed and who came in its place let in, as often as it takes."""
        for node in self.world.leaders():
            self.world.turn(node, lambda leader: self._exchange_by(leader, old, new))
        if self._lost == old:
            self.world.after(self.rng.uniform(0.3, 1.0), lambda: self._exchange(old, new))

    def _exchange_by(self, leader: Replica, old: MemberId, new: Member) -> None:
        newest = leader.configuration
        if newest.member(old) is not None:
            voters = tuple(each for each in newest.voters if each.id != old)
            leader.change(Configuration(voters, newest.learners), 3.0, self._changed)
        elif newest.member(new.id) is None:
            leader.change(Configuration(newest.voters, (*newest.learners, new)), 3.0, self._changed)
        elif leader.was_removed(old):
            self._lost = None

    def _hand_over(self, leader: Replica) -> None:
        leader.hand_over(None)

    # the end

    def _come_to_rest(self) -> None:
        self._calm = True
        self.world.network.calm()
        for node in list(self.world.nodes.values()):
            node.log_files.fuse = node.snapshot_files.fuse = None
            node.log_files.fail_sync_in = node.snapshot_files.fail_sync_in = None
            self._give_room(node)
            self._resume(node)
            self.world.after(0.1, lambda node=node: self.world.start(node))  # type: ignore[misc]
        for second in _PROPOSED_IN_CALM_S:
            self.world.after(second, self._last_proposal)
        end = self.world.time.now + CALM_S
        while self.world.time.now < end and not self._settled():
            self.world.run(1.0)

    def _last_proposal(self) -> None:
        for leader in self.world.leaders():
            self._last = next(self._values)
            self.world.propose(leader, b"last%d" % self._last)

    def _settled(self) -> bool:
        """Say whether one leads, and all its members run and have what was proposed last, in the calm."""
        leaders = self.world.leaders()
        if len(leaders) != 1 or self._lost is not None:
            return False
        nodes, values = self._members_of(leaders[0]), leaders[0].machine.values
        return values[-1:] == [b"last%d" % self._last] and all(
            node.replica is not None and node.machine.values == values for node in nodes
        )

    def _members_of(self, leader: Node) -> list[Node]:
        assert leader.replica is not None
        return [self.world.nodes[each.id] for each in leader.replica.configuration.members]

    def _check_end(self) -> None:
        leaders = self.world.leaders()
        if len(leaders) != 1:
            raise ViolationError(f"at the end these lead: {[each.member.id for each in leaders]}")
        if self._lost is not None:
            raise ViolationError(f"{self._lost} was lost and could not be removed")
        leader = leaders[0]
        assert leader.replica is not None
        self._check_removed(leader.replica)
        machines = []
        for node in self._members_of(leader):
            if node.replica is None:
                raise ViolationError(f"{node.member.id} does not run at the end")
            machines.append((node.member.id, node.machine))
        self.world.checker.end(machines)
        self.world.history.end(leader.machine.values)
        if not any(value.startswith(b"last") for value in leader.machine.values[-3:]):
            raise ViolationError("what was proposed in the calm was not carried out")

    def _check_removed(self, leader: Replica) -> None:
        """Everybody who is known to be removed is a member for nobody, and never will be."""
        newest = leader.configuration
        for id_ in newest.removed:
            outcomes: list[Outcome] = []
            back = Configuration(newest.voters, (*newest.learners, Member(id_, "back:1")))
            leader.change(back, 3.0, outcomes.append)
            if not isinstance(outcomes[0], Rejected) or outcomes[0].code != "raft.removed_member":
                raise ViolationError(f"{id_} was removed and could come back")
            for node in self.world.nodes.values():
                if node.member.id == id_ and node.replica is not None and node.replica.is_leader:
                    raise ViolationError(f"{id_} was removed and leads")
