"""A node's agent and leader over a real member of a cluster of one, with real workers where a test wants them."""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.integration.api.api_kit import Served, serving
from tests.waiting import until
from wire.cluster import commands as c
from wire.cluster.scheduler import SchedulerSettings
from wire.cluster.state import JobId, NodeName, PipelineKey, State, Task
from wire.core.clock import SystemClock
from wire.core.permissions import EVERYTHING
from wire.core.units import Duration
from wire.core.uuids import Uuids
from wire.node.agent import Agent
from wire.node.control.asking import Asking
from wire.node.data_dir import Identity
from wire.node.leading import Leading
from wire.node.leases import OwnLease
from wire.node.membership.dismissing import Dismissing
from wire.node.reconciling import moves_tasks
from wire.node.supervisor import Supervisor, WorkerSettings
from wire.raft import Member, MemberId

JOB = JobId("01890a5d-ac96-774b-bcce-b302099a8057")
ME = Identity(name="n1", incarnation="i")
_ENDLESS: Final[dict[str, Any]] = {"type": "generate", "config": {"fields": {"n": "sequence"}}}
WORKERS = WorkerSettings(count=1, permissions=EVERYTHING, grace=Duration(2000))


@dataclass
class Worked:
    """What a test works with: consensus, the leader's work, the agent and its lease."""

    served: Served
    leading: Leading
    agent: Agent
    lease: OwnLease
    supervisor: Supervisor

    @property
    def state(self) -> State:
        return self.served.machine.state

    def tasks(self) -> list[Task]:
        return self.state.tasks.of(JOB)

    async def register(self, name: str) -> Member:
        """Have a node of that name among the members, and known."""
        member = Member(MemberId(f"{name}/i"), f"{name}:1")
        if member.id != self.served.node.me.id:
            assert await self.served.node.add_member(member) == b""
        await self.tells(name, 1)
        return member

    async def tells(self, name: str, newest_command: int) -> None:
        """Have a member tell the cluster what it is, as a release that understands commands up to a version."""
        await self.served.propose(
            c.RegisterNode(
                at_ms=1,
                name=NodeName(name),
                incarnation="i",
                address=f"{name}:1",
                workers=1,
                newest_command=newest_command,
            )
        )

    async def create(self, name: str = "endless", source: dict[str, Any] = _ENDLESS) -> None:
        """Make a pipeline, an endless one unless its source is not."""
        spec = {
            "name": name,
            "source": source,
            "transforms": [{"rate_limit": {"rate": 100}}],
            "sink": {"type": "drop"},
            "checkpoint": {"interval": "50ms"},
        }
        key = PipelineKey("default", name)
        await self.served.propose(c.ApplyPipeline(at_ms=1, key=key, spec=json.dumps(spec).encode(), job=JOB))


@contextlib.asynccontextmanager
async def working(
    folder: Path, settings: SchedulerSettings, *, reap_after_s: float | None = None
) -> AsyncIterator[Worked]:
    """Everything wired as in a node; nothing runs yet but consensus."""
    async with serving(folder) as served:
        clock = SystemClock()
        asking, lease, uuids = Asking(served.node, served.machine, clock), OwnLease(), Uuids(clock, os.urandom)
        agent = Agent(ME, asking, lease, clock, uuids, 5.0)
        dismissing = Dismissing(asking, clock, patience_s=5.0, reap_after_s=reap_after_s)
        leading = Leading(asking, dismissing, clock, settings, 5)
        supervisor = Supervisor(agent, WORKERS, clock, random.Random(1))
        agent.use(supervisor)

        def applied(_index: int, command: c.AnyCommand, answer: c.Answer) -> None:
            if moves_tasks(command, answer):
                agent.wake()
                leading.wake()

        served.machine.listen(applied, lambda: None)
        await until(lambda: served.node.status().leader is not None)
        yield Worked(served, leading, agent, lease, supervisor)
