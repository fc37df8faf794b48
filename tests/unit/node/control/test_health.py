"""Readiness, for what a healthy member does not get into within a test: a full disk, its own removal."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wire.core.errors import FatalError
from wire.node.control.health import HealthService
from wire.raft import Role

BEHIND = "it has not caught up since the node started"


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


async def failed(node: Node, *, sync: bool = True) -> dict[str, str]:
    checks = await HealthService(cast(Any, node)).ready(sync=sync)
    assert [check.name for check in checks] == ["node", "leader", "store", "sync"][: len(checks)]
    return {check.name: check.message for check in checks if not check.ok}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Node(), {}),
        (Node(role=Role.REMOVED), {"node": "it was removed from the cluster"}),
        (Node(leader=None), {"leader": "none is known"}),
        (Node(trouble=FatalError("raft.storage.full", "no room")), {"store": "no room"}),
        (Node(synced=False), {"store": BEHIND, "sync": "not everything that is confirmed was here within 5 s"}),
    ],
)
async def test_each_check_fails_for_its_own_reason(node: Node, expected: dict[str, str]) -> None:
    assert await failed(node) == expected


async def test_a_node_is_not_ready_before_it_has_caught_up_once_and_then_asks_nobody_unless_asked_to() -> None:
    node = Node(synced=False)
    service = HealthService(cast(Any, node))

    async def ready() -> bool:
        return all(check.ok for check in await service.ready(sync=False))

    assert not await ready()
    node.synced = True
    assert await ready()
    node.synced, node.asked = False, []
    assert await ready()
    assert node.asked == []
    node.trouble = FatalError("raft.storage.full", "no room")
    assert not await ready()
