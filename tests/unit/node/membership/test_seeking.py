"""What a node says while nobody leads."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from wire.core.errors import FatalError
from wire.node.membership.seeking import Seeking
from wire.testing.clock import VirtualClock

FULL = FatalError("raft.storage.full", "no room to write log", hint="free space on its disk")


@pytest.mark.parametrize(
    ("trouble", "reason", "hint"), [(None, None, "start the others"), (FULL, "no room to write log", "free space")]
)
async def test_a_node_with_a_full_disk_does_not_ask_for_the_others(
    trouble: FatalError | None, reason: str | None, hint: str
) -> None:
    clock, node = VirtualClock(), SimpleNamespace(status=lambda: SimpleNamespace(leader=None), trouble=trouble)
    unasked: Any = None
    seeking = Seeking(node, (), unasked, unasked, clock)  # type: ignore[arg-type]
    with capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(seeking.run())
            for _ in range(25):
                await clock.advance(1.0)
            running.cancel()
    assert [line["event"] for line in lines] == ["nobody_leads"]
    assert lines[0].get("reason") == reason
    assert hint in lines[0]["hint"]
