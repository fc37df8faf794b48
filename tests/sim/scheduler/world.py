"""A cluster of simulated nodes with a real scheduler, in virtual time: one tick is half a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

from msgspec.structs import replace

from tests.sim.scheduler.model import carry_out, hand_over, is_wanted, let_go, start
from wire.cluster.commands import AssignTasks
from wire.cluster.scheduler import Decision, SchedulerSettings, decide, view
from wire.cluster.state import DISCOVERY, Job, JobId, Node, NodeName, Pipeline, PipelineKey, State, Task, TaskKey
from wire.core.records import PartitionId, PartitionKey
from wire.node.leases import LeaseTable

TICK_MS = 500
WALL_MS = 1_700_000_000_000
QUICK = SchedulerSettings(
    return_ms=5_000, dwell_ms=3_000, max_moves_per_node=3, max_moves_per_command=7, grace_ms=4_000
)
"""Small enough for every limit to matter in a small world."""


def partitions(many: int) -> tuple[PartitionKey, ...]:
    return tuple(PartitionKey("flights", PartitionId(f"flights/{number}")) for number in range(many))


class World:
    """Everything there is, and what is done to it. `moves` counts, for each task, how often it was assigned."""

    def __init__(self, settings: SchedulerSettings = QUICK) -> None:
        self.settings = settings
        self.state = State()
        self.now_ms = 1_000
        self.silent: set[NodeName] = set()
        self.leases = LeaseTable(self.now_ms, (), settings.lease_ms)
        self.moves: Counter[TaskKey] = Counter()
        self.last = Decision((), {})
        self._numbers = count(1)

    # nodes

    def join(self, name: str, workers: int = 1, **labels: str) -> NodeName:
        node = NodeName(name)
        self.state.nodes[node] = Node(
            name=node, incarnation="1", address=f"{name}:4001", workers=workers, labels=labels
        )
        self.leases.renew(node, self.now_ms - 1)
        self.leases.renew(node, self.now_ms)
        return node

    def die(self, node: NodeName) -> None:
        """It is heard no more. What it runs is its own until the lease is over."""
        self.silent.add(node)

    def come_back(self, node: NodeName) -> None:
        """It starts anew, with nothing running."""
        self.silent.discard(node)
        for task in [task for task in self.state.tasks.values() if task.owner == node]:
            let_go(self.state, task)

    def remove(self, node: NodeName) -> None:
        """It is no member any more."""
        del self.state.nodes[node]
        self.silent.discard(node)
        self.leases.forget(node)
        for task in [task for task in self.state.tasks.values() if node in (task.owner, task.target)]:
            self.state.tasks[task.key] = replace(task, target=None if task.target == node else task.target)
            if task.owner == node:
                let_go(self.state, self.state.tasks[task.key])

    def wake(self, node: NodeName) -> None:
        """It was only held up, and goes on with what it has."""
        self.silent.discard(node)

    def drain(self, node: NodeName, draining: bool = True) -> None:
        self.state.nodes[node] = replace(self.state.nodes[node], draining=draining)

    def label(self, node: NodeName, **labels: str) -> None:
        self.state.nodes[node] = replace(self.state.nodes[node], labels=labels)

    def new_leader(self) -> None:
        self.leases = LeaseTable(self.now_ms, self.state.nodes, self.settings.lease_ms)

    # jobs

    def run(
        self,
        many: int,
        *,
        parallelism: int | None = None,
        weight: int = 1,
        **labels: str,
    ) -> JobId:
        """Begin a job whose source has that many partitions."""
        number = next(self._numbers)
        key, job = PipelineKey("default", f"p{number}"), JobId(f"job-{number:06}")
        self.state.pipelines[key] = Pipeline(
            key=key, revision=1, versions=(), current=1, proven=None, desired="running", job=job,
            created_ms=self.at_ms, updated_ms=self.at_ms,
        )  # fmt: skip
        self.state.jobs[job] = Job(
            id=job, pipeline=key, version=1, state="active", started_ms=self.at_ms, parallelism=parallelism,
            weight=weight, node_selector=labels, partitions=partitions(many),
        )  # fmt: skip
        discovery = TaskKey(job, DISCOVERY)
        self.state.tasks[discovery] = Task(key=discovery)
        return job

    def find(self, job: JobId, many: int) -> None:
        """Discovery finds other partitions than before."""
        self.state.jobs[job] = replace(self.state.jobs[job], partitions=partitions(many))

    def end(self, job: JobId) -> None:
        key = self.state.jobs[job].pipeline
        self.state.pipelines[key] = replace(self.state.pipelines[key], desired="stopped", job=None)
        self.state.jobs[job] = replace(self.state.jobs[job], state="ended")
        for task in self.state.tasks_of(job):
            self.state.tasks[task.key] = replace(task, share=())
            if task.owner is None:
                del self.state.tasks[task.key]

    def pause(self, job: JobId, paused: bool = True) -> None:
        key = self.state.jobs[job].pipeline
        desired = "paused" if paused else "running"
        self.state.pipelines[key] = replace(self.state.pipelines[key], desired=desired)

    # time

    @property
    def at_ms(self) -> int:
        return WALL_MS + self.now_ms

    def decide(self) -> Decision:
        return decide(
            view(self.state), self.leases.leases(), now_ms=self.now_ms, at_ms=self.at_ms, settings=self.settings
        )  # fmt: skip

    def carry_out(self, decision: Decision) -> None:
        for command in decision.commands:
            if isinstance(command, AssignTasks):
                self.moves.update(key for key, _ in command.moves)
            carry_out(self.state, command)

    def tick(self) -> Decision:
        """Let half a second pass: leases are renewed, the leader decides, and nodes do what they are told."""
        self.now_ms += TICK_MS
        awake = [node for node in self.state.nodes if node not in self.silent]
        for node in awake:
            self.leases.renew(node, self.now_ms)
        self.last = self.decide()
        self.carry_out(self.last)
        for node in awake:
            hand_over(self.state, node)
        for node in awake:
            start(self.state, node, self.at_ms)
        return self.last

    def pass_ms(self, span_ms: int) -> None:
        for _ in range(span_ms // TICK_MS):
            self.tick()

    def settle(self) -> int:
        """Let time pass until every node counts in full and nothing is left to do; return how many tasks were moved."""
        before = self.moves.total()
        self.pass_ms(self.settings.lease_ms + self.settings.settle_ms + self.settings.return_ms)
        quiet_ms = 0
        for _ in range(1_000):
            quiet_ms = 0 if self.tick().commands else quiet_ms + TICK_MS
            if quiet_ms > self.settings.dwell_ms:
                return self.moves.total() - before
        raise AssertionError("it goes on and on")

    # looking

    def running(self) -> list[Task]:
        """The tasks of all jobs that are to run, and still have something to do."""
        tasks = (task for task in self.state.tasks.values() if is_wanted(self.state, task.key.job) and not task.ended)
        return [task for task in tasks if task.share or task.key.slot == DISCOVERY]

    def readers(self, node: NodeName | None = None) -> list[Task]:
        """The tasks that read something: all, or those of a node."""
        tasks = (task for task in self.running() if task.key.slot != DISCOVERY)
        return [task for task in tasks if node is None or task.target == node]

    def weight(self, task: Task) -> float:
        return 0.01 if task.key.slot == DISCOVERY else self.state.jobs[task.key.job].weight

    def load(self, node: NodeName) -> float:
        return sum(self.weight(task) for task in self.running() if task.target == node)

    def eligible(self, job: JobId) -> Iterator[Node]:
        wanted = self.state.jobs[job].node_selector.items()
        for node in self.state.nodes.values():
            if node.name not in self.silent and not node.draining and node.workers and wanted <= node.labels.items():
                yield node
