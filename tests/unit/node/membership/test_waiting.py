"""What a node that waits says, and how often."""

from __future__ import annotations

from structlog.testing import capture_logs

from wire.node.front import Front
from wire.node.membership.waiting import Waiting
from wire.testing.clock import VirtualClock


async def test_the_log_says_it_at_first_then_every_half_minute_and_soon_when_it_changes() -> None:
    clock = VirtualClock()
    waiting = Waiting(Front(), clock)
    told = []
    with capture_logs() as lines:
        for second in range(100):
            waiting.tell("no answer from b:1", {"a:1": None, "b:1": "refused" if second < 50 else "no route"}, met=2)
            told += [second] * (len(lines) - len(told))
            await clock.advance(1.0)
    assert told == [0, 30, 50, 80]
    assert lines[0]["event"] == "cluster_awaited"
    assert (lines[0]["reason"], lines[0]["met"], lines[0]["troubles"]) == ("no answer from b:1", 2, ["b:1: refused"])


async def test_what_changes_all_the_time_does_not_fill_the_log() -> None:
    clock = VirtualClock()
    waiting = Waiting(Front(), clock)
    with capture_logs() as lines:
        for second in range(50):
            waiting.tell("nobody has let it in", {"b:1": f"reason {second}"})
            await clock.advance(1.0)
    assert len(lines) == 10


def test_whoever_asks_is_told_at_once_with_a_line_for_each_node() -> None:
    front = Front()
    waiting = Waiting(front, VirtualClock())
    waiting.tell("no answer from b:1", {"a:1": None, "b:1": "refused"})
    assert [check.line for check in front.checks] == [
        "[-]node failed: it belongs to no cluster yet: no answer from b:1\n",
        "[+]a:1 ok\n",
        "[-]b:1 failed: refused\n",
    ]
