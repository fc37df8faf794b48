"""What waits for a connection: in order, bounded, and gone when the connection is."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from wire.raft.transport.outbox import Outbox


def opened(max_frames: int = 100, max_bytes: int = 100) -> Outbox:
    outbox = Outbox(max_frames=max_frames, max_bytes=max_bytes)
    outbox.open()
    return outbox


steps = st.one_of(
    st.tuples(st.just("put"), st.binary(min_size=1, max_size=30)),
    st.tuples(st.just("take"), st.integers(0, 60)),
    st.tuples(st.sampled_from(["open", "close"]), st.none()),
)


@given(st.lists(steps, max_size=60))
def test_it_does_what_a_list_would_do(work: list[tuple[str, bytes | int | None]]) -> None:
    outbox = Outbox(max_frames=5, max_bytes=50)
    model: list[bytes] = []
    is_open = False
    for step in work:
        match step:
            case "put", bytes(frame):
                fits = not model or (len(model) < 5 and sum(map(len, model)) + len(frame) <= 50)
                assert outbox.put(frame) == (is_open and fits)
                if is_open and fits:
                    model.append(frame)
            case "take", int(limit):
                taken = list(outbox.take(limit))
                assert taken == model[: len(taken)]
                size = sum(map(len, taken))
                assert size <= limit or len(taken) == 1
                del model[: len(taken)]
                assert not model or (taken and size + len(model[0]) > limit)
            case "open", _:
                outbox.open()
                is_open = True
            case "close", _:
                outbox.close()
                is_open, model = False, []
        assert len(outbox) == len(model)
        assert outbox.size == sum(map(len, model))


def test_one_frame_is_taken_however_large_and_only_one() -> None:
    outbox = opened(max_bytes=10)
    assert outbox.put(bytes(1000))
    assert not outbox.put(b"x")
    assert outbox.take(1) == [bytes(1000)]
    assert outbox.put(b"x")


def test_closed_it_holds_nothing_and_takes_nothing() -> None:
    outbox = opened()
    outbox.put(b"old")
    outbox.close()
    assert not outbox.put(b"new")
    outbox.open()
    assert outbox.take(100) == []


async def test_a_wait_ends_when_there_is_a_frame_and_not_before() -> None:
    outbox = opened()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(outbox.filled())
        await asyncio.sleep(0)
        assert not waiting.done()
        outbox.put(b"x")
    outbox.take(1)
    again = asyncio.ensure_future(outbox.filled())  # noqa: TID251 (awaited below)
    await asyncio.sleep(0)
    assert not again.done()
    outbox.put(b"y")
    await again


async def test_a_nudge_ends_one_wait_though_there_is_nothing_to_take() -> None:
    outbox = opened()
    outbox.nudge()
    await outbox.filled()
    assert outbox.take(10) == []
    waiting = asyncio.get_running_loop().create_task(outbox.filled())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(b"a")
    await waiting
