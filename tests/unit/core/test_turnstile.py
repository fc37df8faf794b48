from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from wire.core.turnstile import Turnstile
from wire.testing.clock import VirtualClock


@given(
    st.lists(st.tuples(st.integers(1, 20), st.floats(0, 3)), min_size=1, max_size=20),
    st.floats(0.5, 100),
    st.floats(0, 30),
)
def test_from_any_moment_no_more_pass_than_the_rate_and_a_burst(
    visits: list[tuple[int, float]], rate: float, burst: float
) -> None:
    """Batches are counted when they pass; the first of a stretch came with what was saved before."""

    async def passing() -> list[tuple[float, int]]:
        clock = VirtualClock(autojump=True)
        turnstile, passed = Turnstile(rate, burst, clock), []
        for count, pause in visits:
            await clock.sleep(pause)
            await turnstile.wait(count)
            passed.append((clock.monotonic(), count))
        return passed

    passed = asyncio.run(passing())
    for first in range(len(passed)):
        total = 0
        for when, count in passed[first + 1 :]:
            total += count
            assert total <= burst + rate * (when - passed[first][0]) + 1e-6
