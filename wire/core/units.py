"""Quantities with units as users write them: `5ms`, `1MiB`, `5000/s`, `1%/1m`."""

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
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B|B|)/s")
_QUOTA = re.compile(r"(\d+(?:\.\d+)?)(%?)/(.+)")


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


@dataclass(frozen=True, slots=True)
class Rate:
    """So many records a second, so many bytes a second, or both; None where there is no limit."""

    records: float | None = None
    bytes: float | None = None

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `5000/s`, `10MiB/s` or `5000/s, 10MiB/s`. Raises ValueError with what was expected."""
        parts = [part.strip() for part in text.split(",")] if isinstance(text, str) else []
        found: dict[str, float] = {}
        for part in parts:
            match = _RATE.fullmatch(part)
            if match is None or float(match[1]) <= 0:
                break
            found["bytes" if match[2] else "records"] = float(match[1]) * _SIZE.get(match[2], 1)
        if not parts or len(found) != len(parts):
            raise ValueError("expected records or bytes a second, or both, such as 5000/s, 10MiB/s")
        return cls(**found)

    def __str__(self) -> str:
        records = [] if self.records is None else [f"{self.records:.15g}/s"]
        return ", ".join([*records, *([] if self.bytes is None else [f"{Size(int(self.bytes))}/s"])])


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of all within a length of time: a number (`share` is None), or a share of them between 0 and 1."""

    number: float | None
    share: float | None
    within: Duration

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `1%/1m` or `1000/1h`. Raises ValueError with what was expected."""
        match = _QUOTA.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None or (match[2] and not 0 < float(match[1]) < 100) or not (match[2] or match[1].isdecimal()):
            raise ValueError("expected a number or a percentage within a time, such as 1000/1h or 1%/1m")
        within = Duration.parse(match[3])
        if within.ms < 1000:
            raise ValueError("expected a time of at least 1s, such as in 1%/1m")
        number = float(match[1])
        return cls(None, number / 100, within) if match[2] else cls(number, None, within)

    def __str__(self) -> str:
        what = f"{self.number:.15g}" if self.share is None else f"{self.share * 100:.15g}%"
        return f"{what}/{self.within}"
