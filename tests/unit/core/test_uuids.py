from __future__ import annotations

import os
import uuid

from hypothesis import given
from hypothesis import strategies as st

from wire.core.uuids import Uuids


class Steps:
    """A clock that shows one time after the other, and then the last one."""

    def __init__(self, times: list[int]) -> None:
        self._times = times

    def now_ms(self) -> int:
        return self._times.pop(0) if len(self._times) > 1 else self._times[0]

    def monotonic(self) -> float:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@given(st.lists(st.integers(0, 2**47), min_size=1, max_size=50))
def test_ids_rise_whatever_the_clock_does(times: list[int]) -> None:
    uuids = Uuids(Steps(list(times)), os.urandom)
    made = [uuids.next() for _ in range(100)]
    assert [str(each) for each in made] == sorted({str(each) for each in made})


@given(st.integers(0, 2**48 - 1), st.binary(min_size=8, max_size=8))
def test_an_id_holds_its_time_and_says_what_it_is(now_ms: int, random: bytes) -> None:
    made = Uuids(Steps([now_ms]), lambda _: random).next()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now_ms


def test_five_thousand_ids_in_one_millisecond_are_all_different() -> None:
    uuids = Uuids(Steps([1]), bytes)
    assert len({uuids.next() for _ in range(5000)}) == 5000
