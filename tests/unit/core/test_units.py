from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.units import Duration, Quota, Rate, Size


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("5ms", 5),
        ("1.5s", 1500),
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("2d", 172_800_000),
        ("250us", 0.25),
        ("0s", 0),
    ],
)
def test_durations(text: str, ms: float) -> None:
    assert Duration.parse(text).ms == ms
    assert Duration.parse(text).s == ms / 1000


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "-5s", "s", "5s!", "1e3s", 5, None, ["5s"], True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration with a unit"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64KiB", 65_536), ("10MB", 10_000_000), ("1.5MiB", 1_572_864), ("1 GiB", 1 << 30), ("0B", 0)],
)
def test_sizes(text: str, size: int) -> None:
    assert Size.parse(text).bytes == size


@pytest.mark.parametrize("text", ["", "5", "5 bytes", "-5B", "1mib", "MiB", 5, None, True])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="expected a size with a unit"):
        Size.parse(text)


@given(st.integers(0, 10**12))
def test_what_is_written_is_read_back(number: int) -> None:
    assert Size.parse(str(Size(number))) == Size(number)
    assert Duration.parse(str(Duration(number))) == Duration(number)


@pytest.mark.parametrize(
    ("text", "records", "size"),
    [
        ("5000/s", 5000, None),
        ("0.5/s", 0.5, None),
        ("10MiB/s", None, 10 << 20),
        ("5000/s, 10MiB/s", 5000, 10 << 20),
        ("64 KiB/s,100/s", 100, 64 << 10),
    ],
)
def test_rates(text: str, records: float | None, size: float | None) -> None:
    rate = Rate.parse(text)
    assert (rate.records, rate.bytes) == (records, size)
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize("text", ["", "5000", "5000/m", "0/s", "-1/s", "1/s, 2/s", "1/s,", "1MiB/s, 1KiB/s", 5, None])
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(ValueError, match="expected records or bytes a second"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "number", "share", "within_s"),
    [("1%/1m", None, 0.01, 60), ("0.5%/1h30m", None, 0.005, 5400), ("1000/1h", 1000, None, 3600), ("0/1s", 0, None, 1)],
)
def test_quotas(text: str, number: float | None, share: float | None, within_s: float) -> None:
    quota = Quota.parse(text)
    assert (quota.number, quota.share, quota.within.s) == (number, share, within_s)
    assert Quota.parse(str(quota)) == quota


@pytest.mark.parametrize("text", ["", "1%", "1/m", "1%/0s", "1%/10ms", "100%/1m", "0%/1m", "1.5/1m", "-1/1m", 5, None])
def test_what_is_no_quota(text: object) -> None:
    with pytest.raises(ValueError, match="expected a"):
        Quota.parse(text)
