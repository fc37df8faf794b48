"""Readiness, for what a healthy member does not get into within a test: a full disk, its own removal."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wire.core.errors import FatalError
from wire.node.control.health import HealthService
from wire.raft import Role


@dataclass
class Node:
    """What is asked of a member."""

    role: Role = Role.FOLLOWER
    leader: object | None = "n1"
    trouble: FatalError | None = None
    synced: bool = True
    asked: list[float] = field(default_factory=list)

    def status(self) -> Any:
        return SimpleNamespace(role=self.role, leader=self.leader)

    async def read_barrier(self, timeout_s: float) -> bool:
        self.asked.append(timeout_s)
        return self.synced


async def failed(service: HealthService, *, sync: bool = True) -> dict[str, str]:
    checks = await service.ready(sync=sync)
    assert [check.name for check in checks] == ["node", "leader", "store", "sync"][: len(checks)]
    return {check.name: check.message for check in checks if not check.ok}


def service(node: Node) -> HealthService:
    return HealthService(cast(Any, node))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Node(), {}),
        (Node(role=Role.REMOVED), {"node": "it was removed from the cluster"}),
        (Node(leader=None), {"leader": "none is known"}),
        (Node(trouble=FatalError("raft.storage.full", "no room")), {"store": "no room"}),
    ],
)
async def test_each_check_fails_for_its_own_reason(node: Node, expected: dict[str, str]) -> None:
    assert await failed(service(node)) == expected


async def test_a_node_that_has_started_is_not_ready_before_it_knows_again_what_it_knew() -> None:
    node = Node(synced=False)
    its = service(node)
    assert await failed(its, sync=False) == {"store": "what was confirmed before it started is not all here yet"}
    node.synced = True
    assert await failed(its, sync=False) == {}


async def test_once_it_knows_nobody_is_asked_unless_that_is_asked_for() -> None:
    node = Node()
    its = service(node)
    await failed(its, sync=False)
    node.synced, node.asked = False, []
    assert await failed(its, sync=False) == {}
    assert node.asked == []
    assert await failed(its) == {"sync": "not everything that is confirmed was here within 5 s"}
