from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.units import Duration, Size


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
