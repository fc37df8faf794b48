"""Limits of connections for calls."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from wire.core.timings import Timings

_MIB: Final = 1 << 20


class RpcSettings(Struct, frozen=True, kw_only=True):
    """Limits and times. `idle_timeout_s` must be several times `ping_interval_s`, and be the same for all nodes."""

    max_frame_bytes: int = 16 * _MIB
    max_calls: int = 128  # at once on one connection; of more, each is refused
    longest_call_s: float = 60.0
    dial_timeout_s: float = 5.0  # from the first packet to the welcome, and as long for whom we listen to
    write_timeout_s: float = 10.0  # for the other side to take a quarter of a MiB
    ping_interval_s: float = 2.0
    idle_timeout_s: float = 10.0
    backoff_initial_s: float = 0.05
    backoff_max_s: float = 2.0


class RpcCounters(Struct):
    """What has happened since the start, on one side."""

    connections: int = 0  # that were welcomed
    calls: int = 0
    failures: dict[str, int] = field(default_factory=dict)  # calls that failed, by code
    refused: dict[str, int] = field(default_factory=dict)  # connections that were turned away, by code
    answered: dict[str, Timings] = field(default_factory=dict)  # how long answers took here, by method
