"""Keys go where Kafka's own producers put them."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from wire.sinks.kafka import partitioner
from wire.sinks.kafka.partitioner import Partitioner, murmur2


@given(st.binary(max_size=70))
def test_the_hash_is_that_of_the_reference(key: bytes) -> None:
    assert murmur2(key) == reference(key)


@pytest.mark.parametrize(
    ("key", "java"),
    [  # from org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_kafkas_own_test(key: bytes, java: int) -> None:
    assert murmur2(key) == java % 2**32


def test_what_is_remembered_is_bounded_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioner, "_CACHED", 10)
    held = Partitioner()
    for turn in range(3):
        for n in range(35):
            assert held.hash_of(b"%d" % n) == reference(b"%d" % n) & 0x7FFFFFFF, turn
    assert len(held._hashes) <= 10
