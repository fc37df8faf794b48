"""Quantities with units as users write them: `5ms`, `1MiB`, `5000/s`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_DURATION_MS: Final = {"ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86400e3, "us": 1e-3}
_SIZE: Final = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_SIZE_RE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, kept in milliseconds, never negative."""

    ms: float

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `5ms`, `1.5s`, `10m` or `1h30m`. Raises ValueError with what was expected."""
        parts = _DURATION.findall(text) if isinstance(text, str) else []
        if not isinstance(text, str) or not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
            raise ValueError("expected a duration with a unit, such as 5ms, 30s, 10m or 1h30m")
        return cls(sum(float(number) * _DURATION_MS[unit] for number, unit in parts))

    @property
    def s(self) -> float:
        """The length in seconds."""
        return self.ms / 1000

    def __str__(self) -> str:
        for unit in ("d", "h", "m", "s", "ms"):
            if self.ms >= _DURATION_MS[unit] and self.ms % _DURATION_MS[unit] == 0:
                return f"{self.ms / _DURATION_MS[unit]:.15g}{unit}"
        return f"{self.ms:.15g}ms"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """An amount of data, in bytes."""

    bytes: int

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `512B`, `64KiB`, `1.5MB`. Raises ValueError with what was expected."""
        match = _SIZE_RE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("expected a size with a unit, such as 512B, 64KiB or 10MB")
        return cls(int(float(match[1]) * _SIZE[match[2]]))

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self.bytes >= _SIZE[unit] and self.bytes % _SIZE[unit] == 0:
                return f"{self.bytes // _SIZE[unit]}{unit}"
        return f"{self.bytes}B"
