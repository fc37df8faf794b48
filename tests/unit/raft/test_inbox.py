"""What waits for a turn is bounded in number and in bytes, and neither messages nor callers keep the others out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from wire.raft import inbox as module
from wire.raft.inbox import Inbox


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MESSAGES", "CALLERS"):
        monkeypatch.setattr(module, f"_MAX_{name}", 3)
        monkeypatch.setattr(module, f"_MAX_{name}_BYTES", 100)


def waiting(
    inbox: Inbox, size: int = 0, call: Callable[[Callable[[int], None]], None] = lambda done: done(1)
) -> asyncio.Task[int]:
    return asyncio.get_running_loop().create_task(inbox.ask(call, 0, size))


@pytest.mark.parametrize("sizes", [[0, 0, 0, 0], [60, 60], [100, 1], [500, 1]], ids=str)
async def test_a_message_too_many_is_dropped_and_counted_until_there_is_room_again(sizes: list[int]) -> None:
    inbox, taken = Inbox(), []
    for size in sizes:
        inbox.put(lambda size=size: taken.append(size), size)  # type: ignore[misc]
    assert inbox.dropped == 1
    inbox.work()
    assert taken == sizes[:-1]
    inbox.put(lambda: taken.append(7), sizes[-1])
    inbox.work()
    assert (taken[-1], inbox.dropped) == (7, 1)


async def test_callers_too_many_are_told_and_there_is_room_again_once_one_has_its_answer() -> None:
    inbox = Inbox()
    first = waiting(inbox, 60)
    await asyncio.sleep(0)
    assert (inbox.has_room(40), inbox.has_room(41)) == (True, False)
    second, third = waiting(inbox), waiting(inbox)
    await asyncio.sleep(0)
    assert not inbox.has_room(0)
    inbox.work()
    assert [await first, await second, await third] == [1, 1, 1]
    assert inbox.has_room(100)


async def test_whoever_is_cancelled_leaves_nothing_behind() -> None:
    inbox = Inbox()
    cancelled = waiting(inbox, 60)
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert not inbox
    assert inbox.has_room(100)


async def test_whoever_is_cancelled_after_its_turn_makes_room_too() -> None:
    inbox, answers = Inbox(), []
    cancelled = waiting(inbox, 60, answers.append)
    await asyncio.sleep(0)
    inbox.work()
    cancelled.cancel()
    await asyncio.wait([cancelled])
    answers[0](1)
    assert inbox.has_room(100)


async def test_neither_messages_nor_callers_keep_the_others_out() -> None:
    inbox, taken = Inbox(), []
    callers = [waiting(inbox, 30) for _ in range(3)]
    await asyncio.sleep(0)
    inbox.put(lambda: taken.append(1), 100)
    inbox.work()
    assert taken == [1]
    assert [await each for each in callers] == [1, 1, 1]
    inbox.put(lambda: None, 100)
    inbox.put(lambda: None, 100)
    assert inbox.dropped == 1
    assert inbox.has_room(100)


async def test_those_who_wait_when_it_is_closed_get_the_other_answer() -> None:
    inbox = Inbox()
    waits = waiting(inbox)
    await asyncio.sleep(0)
    inbox.close()
    assert await waits == 0
