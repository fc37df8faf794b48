from __future__ import annotations

import pytest

from wire.pipelines.engine.sizer import BatchSizer


def settle(sizer: BatchSizer, cost_s: object, writes: int = 3000) -> list[int]:
    """Let a sink whose write of n records takes `cost_s(n)` seconds run, and return the sizes it was asked for."""
    sizes = []
    for _ in range(writes):
        sizes.append(sizer.target)
        sizer.wrote(sizer.target, cost_s(sizer.target))  # type: ignore[operator]
    return sizes


def test_a_sink_with_a_fixed_cost_per_write_is_given_full_batches() -> None:
    sizes = settle(BatchSizer(1000), lambda n: 0.005 + n * 1e-6)
    assert sum(size == 1000 for size in sizes[-1000:]) > 800


@pytest.mark.parametrize("knee", [50, 120, 400])
def test_a_sink_that_slows_down_beyond_a_knee_is_kept_near_it(knee: int) -> None:
    sizes = settle(BatchSizer(2000), lambda n: 0.001 + n * 1e-5 + max(0, n - knee) ** 2 * 1e-5)
    rate = {n: n / (0.001 + n * 1e-5 + max(0, n - knee) ** 2 * 1e-5) for n in range(1, 2001)}
    tail = sizes[-1000:]
    assert sum(rate[size] for size in tail) / len(tail) > 0.8 * max(rate.values())


def test_a_refusal_halves_and_never_goes_below_the_floor() -> None:
    sizer = BatchSizer(1000)
    sizer.refused()
    assert sizer.target == 500
    for _ in range(20):
        sizer.refused()
    assert sizer.target == 16


def test_after_refusals_it_finds_its_way_back_to_the_ceiling() -> None:
    sizer = BatchSizer(1000)
    for _ in range(20):
        sizer.refused()
    assert settle(sizer, lambda n: 0.005 + n * 1e-6)[-1] >= 800


def test_small_writes_say_nothing() -> None:
    sizer = BatchSizer(1000)
    for _ in range(1000):
        sizer.wrote(3, 0.001)
    assert sizer.target == 1000


def test_a_ceiling_below_the_usual_floor_is_kept() -> None:
    sizer = BatchSizer(1)
    sizer.refused()
    assert settle(sizer, lambda n: 0.001)[-1] == 1


@pytest.mark.parametrize("share", [0.51, 0.6, 0.79])
def test_writes_that_batches_never_fill_let_it_find_its_way_back_as_well(share: float) -> None:
    sizer = BatchSizer(1000)
    for _ in range(20):
        sizer.refused()
    for _ in range(3000):
        sizer.wrote(int(sizer.target * share) + 1, 0.005)
    assert sizer.target >= 800
