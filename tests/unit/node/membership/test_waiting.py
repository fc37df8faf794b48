"""What a node that waits says, and how often."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from wire.core.errors import RetryableError, UnavailableError
from wire.node.front import Front
from wire.node.membership.waiting import Trouble, Waiting
from wire.testing.clock import VirtualClock

UNTRUSTED = RetryableError("rpc.untrusted_certificate", "no", hint="give both the same authority")


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


async def test_certificates_that_are_not_accepted_are_a_warning_with_code_and_hint() -> None:
    waiting = Waiting(Front(), VirtualClock())
    with capture_logs() as lines:
        waiting.tell("nobody has let it in", {"a:1": UNTRUSTED, "b:1": "nobody leads the cluster"})
    (line,) = lines
    assert (line["log_level"], line["code"], line["hint"]) == ("warning", UNTRUSTED.code, UNTRUSTED.hint)
    assert line["troubles"] == ["a:1: no", "b:1: nobody leads the cluster"]


@pytest.mark.parametrize(
    ("peers", "hopeless"),
    [
        ({"a:1": UNTRUSTED}, True),
        ({"a:1": UNTRUSTED, "b:1": RetryableError("rpc.certificate_refused", "no")}, True),
        ({"a:1": UNTRUSTED, "b:1": RetryableError("rpc.unencrypted", "no")}, True),
        ({"a:1": UNTRUSTED, "b:1": RetryableError("rpc.unreachable", "nobody")}, True),
        ({"a:1": UNTRUSTED, "b:1": "nobody leads the cluster"}, False),
        ({"a:1": UNTRUSTED, "b:1": RetryableError("cluster.name_taken", "taken")}, False),
        ({"a:1": UNTRUSTED, "b:1": None}, False),
        ({"a:1": RetryableError("rpc.unreachable", "nobody")}, False),
    ],
)
async def test_it_is_given_up_where_all_who_answer_speak_of_certificates(
    peers: dict[str, Trouble], hopeless: bool
) -> None:
    clock, given_up = VirtualClock(), None
    waiting = Waiting(Front(), clock)
    for second in range(60):
        try:
            waiting.tell("nobody has let it in", peers)
        except UnavailableError as exc:
            given_up = second, exc.code, exc.hint
            break
        await clock.advance(1.0)
    assert given_up == ((10, UNTRUSTED.code, UNTRUSTED.hint) if hopeless else None)


async def test_who_answers_otherwise_meanwhile_gives_reason_to_wait_on() -> None:
    clock = VirtualClock()
    waiting = Waiting(Front(), clock)
    for second in range(60):
        waiting.tell("nobody has let it in", {"a:1": UNTRUSTED if second % 9 else "nobody leads the cluster"})
        await clock.advance(1.0)


def test_whoever_asks_is_told_at_once_with_a_line_for_each_node() -> None:
    front = Front()
    waiting = Waiting(front, VirtualClock())
    waiting.tell("no answer from b:1", {"a:1": None, "b:1": "refused"})
    assert [check.line for check in front.checks] == [
        "[-]node failed: it belongs to no cluster yet: no answer from b:1\n",
        "[+]a:1 ok\n",
        "[-]b:1 failed: refused\n",
    ]
