"""Kafka's default mapping from a key to a partition, so that records land where any other producer would put them."""

from __future__ import annotations

import struct
from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_CACHED: Final = 1 << 16


class Partitioner:
    """Maps keys to partitions; remembers hashes, because pure Python takes a microsecond for one."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._hashes: dict[bytes, int] = {}

    def hash_of(self, key: bytes) -> int:
        """Return the number whose remainder by the number of partitions is the key's partition."""
        found = self._hashes.get(key)
        if found is None:
            if len(self._hashes) >= _CACHED:
                self._hashes.clear()
            found = self._hashes[key] = murmur2(key) & 0x7FFFFFFF
        return found


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of `data`, seeded as in `org.apache.kafka.common.utils.Utils.murmur2`."""
    length = len(data)
    whole = length & ~3
    h = _SEED ^ length
    for k in struct.unpack_from(f"<{whole >> 2}I", data):
        k = k * _MULTIPLIER & _MASK  # noqa: PLW2901 (the algorithm's own name)
        h = (h * _MULTIPLIER & _MASK) ^ ((k ^ k >> 24) * _MULTIPLIER & _MASK)
    if length != whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    h = (h ^ h >> 13) * _MULTIPLIER & _MASK
    return h ^ h >> 15
