"""What one decision looks at, apart from the leases: it stays as it is while the state goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from wire.cluster.state import Job, JobId, Node, NodeName, Pipeline, PipelineKey, State, Task


class View(Struct, frozen=True):
    """The rows of the state at one moment, which are immutable; another thread may read them."""

    nodes: Mapping[NodeName, Node]
    pipelines: Mapping[PipelineKey, Pipeline]
    jobs: Mapping[JobId, Job]
    tasks: Sequence[Task]
    last_epoch: int


def view(state: State) -> View:
    """Return what there is now. A millisecond or two for 100,000 tasks, and nothing in it is copied but references."""
    return View(
        state.nodes.copy(), state.pipelines.copy(), state.jobs.copy(), list(state.tasks.values()), state.last_epoch
    )
