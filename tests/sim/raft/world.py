"""A whole cluster in one process: real replicas on real logs and snapshots, over simulated disks, network and time.

Everything random comes from one seed, so that a failing seed fails again.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pysyncobj.syncobj

from tests.sim.disk import Crash, SimulatedFiles
from tests.sim.raft.checks import Checker, ViolationError
from tests.sim.raft.clock import START_S, VirtualTime
from tests.sim.raft.history import History
from tests.sim.raft.machine import Ledger
from tests.sim.raft.network import Network, machine_of
from tests.sim.raft.watched import WatchedLog
from wire.core.errors import FatalError
from wire.raft.replica.recovery import found
from wire.raft.replica.replica import Replica
from wire.raft.replica.requests import Requests
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.errors import StorageError
from wire.raft.storage.ports import SnapshotWriter
from wire.raft.storage.snapshots import FileSnapshots
from wire.raft.transport.messages import Message
from wire.raft.types import Configuration, Member, MemberId, Rejected, Unknown

MAX_EVENTS = 300_000
"""More than ten times what any seed has taken: messages that beget messages would go on for ever."""


class Node:
    """One member's machine: disks that survive, and a replica while it runs."""

    def __init__(self, member: Member, rng: random.Random) -> None:
        self.member = member
        self.log_files = SimulatedFiles(rng)
        self.snapshot_files = SimulatedFiles(rng)
        self.replica: Replica | None = None
        self.machine = Ledger()
        self.paused = False
        self.held: list[Callable[[], None]] = []
        self.lives = 0
        self.writing: tuple[Iterator[bytes], SnapshotWriter] | None = None
        self.no_snapshot_before = 0.0


class World:
    """Members, what is between them, and the events to come."""

    def __init__(self, seed: int, voters: int, replica: type[Replica] = Replica) -> None:
        self.rng = random.Random(seed)
        self.time = VirtualTime()
        self.checker = Checker()
        self.history = History()
        self.network = Network(self.rng, self.time, self.after, self._arrive)
        self._replica = replica
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.settings = RaftSettings(
            heartbeat_s=0.15,
            election_min_s=0.8,
            election_max_s=self.rng.choice([0.9, 1.2, 1.6]),
            max_append_bytes=self.rng.choice([1, 60, 1 << 20]),
            snapshot_entries=self.rng.choice([3, 6, 15, 1000]),
            trailing_entries=self.rng.choice([0, 2, 10]),
            snapshot_piece_bytes=self.rng.choice([50, 300, 1 << 20]),
            max_requests=10_000,
            learner_messages_per_s=self.rng.choice([20, 2000]),
        )
        self.nodes: dict[MemberId, Node] = {}
        self._machines: dict[str, Node] = {}
        members = tuple(Member(MemberId(f"n{n}/a"), f"n{n}:1") for n in range(voters))
        self.founders = Configuration(voters=members)
        for member in members:
            node = self.add(member)
            files = FileSnapshots(node.snapshot_files, b"sim")
            requests = Requests(self.settings.max_requests, self.settings.max_requests_bytes)
            found(files, self.founders, Ledger(), requests)
        pysyncobj.syncobj.monotonicTime = self.time.monotonic

    # members

    def add(self, member: Member) -> Node:
        node = self.nodes[member.id] = self._machines[member.name] = Node(member, self.rng)
        return node

    def replace(self, old: Node, member: Member) -> None:
        """Take the disks from a machine, and start somebody new there with empty ones."""
        old.replica = None
        old.paused, old.held = False, []
        self.network.break_lines(old.member.id, self.nodes)
        del self.nodes[old.member.id]
        self.start(self.add(member))

    def start(self, node: Node) -> None:
        if node.replica is not None or self.nodes.get(node.member.id) is not node:
            return
        node.lives += 1
        node.paused, node.held = False, []
        node.writing, node.no_snapshot_before = None, 0.0
        self.checker.restarted(node.member.id)
        try:
            node.machine = Ledger()
            log = WatchedLog(node.log_files, b"sim/" + node.member.id.encode(), node.member.id, self.checker)
            snapshots = FileSnapshots(node.snapshot_files, b"sim")
            rng = random.Random(self.rng.getrandbits(64))
            node.replica = self._replica(node.member, log, snapshots, node.machine, self.settings, rng)
        except Crash:
            self._lose(node)
            return
        except StorageError as error:
            if error.code not in ("raft.storage.full", "raft.storage.failed"):
                raise ViolationError(f"{node.member.id} does not start: {error}") from error
            self._lose(node)
            return
        self._tick_later(node, node.lives)

    def crash(self, node: Node) -> None:
        """End the process, and lose of the disks what was not synced."""
        if node.replica is not None:
            self._lose(node)

    def _lose(self, node: Node) -> None:
        node.replica = None
        node.paused, node.held = False, []
        for files in (node.log_files, node.snapshot_files):
            files.cut_power()
        self.network.break_lines(node.member.id, self.nodes)
        self.after(self.rng.choice([0.05, 0.5, 3.0]) * self.rng.random() + 0.01, lambda: self.start(node))

    def leaders(self) -> list[Node]:
        return [n for n in self.nodes.values() if n.replica is not None and not n.paused and n.replica.is_leader]

    # turns: what the driver does

    def turn(self, node: Node, action: Callable[[Replica], None]) -> None:
        """Let a member do something, then what its driver does: take or install some of a snapshot, sync and send."""
        replica = node.replica
        if replica is None:
            return
        if node.paused:
            node.held.append(lambda: self.turn(node, action))
            return
        try:
            action(replica)
            self._transfer(replica)
            self._send(replica, replica.ahead_of_sync())
            self._persist(replica)
            self._go_on_with_snapshot(node, replica)
        except Crash:
            self._lose(node)
            return
        except FatalError as error:
            if not error.code.startswith("raft.storage."):
                raise ViolationError(f"{node.member.id}: {error}") from error
            self._lose(node)  # the process ends, loudly
            return
        self.checker.step(node.member.id, replica, node.machine)

    def _tick(self, replica: Replica) -> None:
        if self._persist(replica):
            replica.tick()
        else:
            replica.expire()

    def _persist(self, replica: Replica) -> bool:
        """Have the log on disk, then send. False while the disk is full: nothing leaves, and it is tried again."""
        if replica._store.dirty:
            try:
                replica._store.sync()
            except StorageError as error:
                if error.code != "raft.storage.full":
                    raise
                replica.step_down()
                return False
        outbox, replica.outbox = replica.outbox, []
        self._send(replica, outbox)
        return True

    def _send(self, replica: Replica, messages: list[tuple[MemberId, Message]]) -> None:
        for to, message in messages:
            self.network.send(replica.me.id, to, message)

    def _transfer(self, replica: Replica) -> None:
        """Let pass what could not be received, as the driver does: the leader sends it again."""
        try:
            if replica.transfers:
                replica.transfer()
        except FatalError as error:
            if error.code not in ("raft.storage.full", "raft.snapshot.damaged", "raft.snapshot.gone"):
                raise

    def _go_on_with_snapshot(self, node: Node, replica: Replica) -> None:
        """Begin a snapshot that is due, or write one more chunk of it, as the driver does some MiB with each turn."""
        try:
            if node.writing is None:
                if self.time.now < node.no_snapshot_before or not replica.snapshot_due():
                    return
                capture = replica.capture()
                writer = replica._snapshots.begin(capture.index, capture.term, capture.configuration)
                node.writing = capture.chunks, writer
            chunks, writer = node.writing
            chunk = next(chunks, None)
            if chunk is not None:
                writer.write(chunk)
                return
            info = writer.commit()
        except StorageError as error:
            if node.writing is not None:
                node.writing[1].abort()
            node.writing = None
            if error.code not in ("raft.storage.full", "raft.snapshot.gone"):
                raise
            node.no_snapshot_before = self.time.now + 5.0
            return
        node.writing = None
        replica.captured(info)

    def _arrive(self, sender: MemberId, to: MemberId, message: Message) -> None:
        node = self._machines[machine_of(to)]
        if node.replica is not None and node.replica.was_removed(sender):
            self._refuse(sender)
            return
        self.turn(node, lambda replica: replica.receive(sender, message))
        if self.rng.random() < 0.7:
            self.turn(node, self._tick)

    def _refuse(self, sender: MemberId) -> None:
        """Tell a member that it was removed, as the transport does."""
        node = self.nodes.get(sender)
        if node is not None and node.replica is not None:
            node.replica.removed = True

    def _tick_later(self, node: Node, life: int) -> None:
        def tick() -> None:
            if node.replica is not None and node.lives == life:
                self.turn(node, self._tick)
                self._tick_later(node, life)

        self.after(0.1 * self.rng.uniform(0.8, 1.2), tick)

    # time

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time.now + seconds, next(self._numbers), event))

    def run(self, seconds: float) -> None:
        """Let events happen until so much time has passed."""
        events, time = self._events, self.time
        end = time.now + seconds
        while events and events[0][0] <= end:
            at, number, event = heapq.heappop(events)
            if number > MAX_EVENTS:
                raise ViolationError(f"{number:,} events by {time.now - START_S:.0f} s: it does not come to an end")
            time.move_to(at)
            event()
        time.move_to(end)

    # clients

    def propose(self, node: Node, value: bytes) -> None:
        """Propose a value, and with luck propose it again where it is not known what became of it."""
        self.history.proposed(value)

        def done(outcome: Any) -> None:
            if isinstance(outcome, bytes):
                self.history.confirmed_at(value, int(outcome))
            elif isinstance(outcome, Unknown | Rejected) and self.rng.random() < 0.5:
                self.after(self.rng.random(), lambda: self._again(value))

        self.turn(node, lambda replica: replica.propose(b"" + value, value, 3.0, done))

    def _again(self, value: bytes) -> None:
        alive = [node for node in self.nodes.values() if node.replica is not None]
        if alive:
            self.propose(self.rng.choice(alive), value)

    def read(self, node: Node) -> None:
        began, machine = self.history.began(), node.machine

        def done(confirmed: bool) -> None:
            if confirmed:
                self.history.read(machine.values, began)

        self.turn(node, lambda replica: replica.barrier(3.0, done))
