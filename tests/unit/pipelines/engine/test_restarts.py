"""A task that only a new start helps: it is made, as often as it takes, and what was there is waited for."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.sim.loop import LoopClock, in_virtual_time
from wire.core.errors import FatalError, RestartError, UnavailableError
from wire.core.units import Duration
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.restarts import restarted
from wire.pipelines.spec import RetrySpec

LOST, AWAY = RestartError("sink.kafka.transaction_lost"), UnavailableError("sink.kafka.unreachable")
RETRY = RetrySpec(initial=Duration(1000), max=Duration(8000))


class Starts:
    """Ends as it is told, one start after the other, and then well."""

    def __init__(self, *ends: Exception) -> None:
        self.ends = list(ends)
        self.at: list[float] = []
        self.progress = Progress()
        self.stop = asyncio.Event()

    async def start(self) -> None:
        self.at.append(asyncio.get_running_loop().time())
        if self.ends:
            raise self.ends.pop(0)

    async def run(self, retry: RetrySpec = RETRY) -> None:
        await restarted(self.start, self.stop, retry, self.progress, clock=LoopClock(), rng=random.Random(1))


@in_virtual_time
async def test_it_is_started_anew_also_where_it_failed_while_it_opened() -> None:
    starts = Starts(LOST, ExceptionGroup("opening", [LOST]))
    await starts.run()
    assert len(starts.at) == 3
    assert starts.progress.last_error is not None


@in_virtual_time
async def test_what_was_there_is_waited_for_and_pauses_grow() -> None:
    starts = Starts(LOST, *[ExceptionGroup("opening", [AWAY])] * 30)
    await starts.run()
    pauses = [later - at for at, later in zip(starts.at, starts.at[1:], strict=False)]
    assert pauses[0] <= 1 < max(pauses) <= 8


@pytest.mark.parametrize(
    "ends", [[AWAY], [FatalError("x")], [LOST, FatalError("x")], [LOST, UnavailableError("config.missing_dependency")]]
)
@in_virtual_time
async def test_any_other_end_is_the_end(ends: list[Exception]) -> None:
    last = ends[-1]
    with pytest.raises(type(last)) as raised:
        await Starts(*ends).run()
    assert raised.value is last


@in_virtual_time
async def test_it_gives_up_after_as_many_attempts_as_it_may_make() -> None:
    starts = Starts(*[LOST] * 9)
    with pytest.raises(FatalError) as failure:
        await starts.run(RetrySpec(initial=Duration(1), max=Duration(1), attempts=3))
    assert failure.value.code == "pipeline.retries_exhausted"
    assert len(starts.at) == 3


@in_virtual_time
async def test_a_stop_ends_the_pause() -> None:
    starts = Starts(LOST, LOST)
    asyncio.get_running_loop().call_soon(starts.stop.set)
    await starts.run()
    assert len(starts.at) == 1
