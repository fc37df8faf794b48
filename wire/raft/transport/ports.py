"""What the driver of the replica sees of a network: its settings, its counters, and the two sides of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from wire.raft.transport.messages import Message
from wire.raft.types import Member, MemberId

_MIB: Final = 1 << 20


class Admission(Enum):
    """What a member is to us that wants to talk to us."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    REMOVED = "removed"


class Network(Protocol):
    """Carries messages to other members, each at most once and in their order; any of them may be lost."""

    def set_peers(self, peers: Mapping[MemberId, str]) -> None:
        """Say to whom messages may be sent, and where they are reached; nobody else is dialed any more."""
        ...

    def send(self, to: MemberId, message: Message) -> bool:
        """Send if that is possible now. Never waits and never raises; returns False if the message is lost for certain.

        What can't be sent at once for want of a connection is dropped, not kept: whoever sends repeats what matters.
        """
        ...

    def review(self) -> None:
        """Ask `Handler.admit` again about those who are heard, and stop hearing those who are not known any more."""
        ...


class Handler(Protocol):
    """What a network tells the driver. Called on the event loop; must return quickly and not raise."""

    def admit(self, member: Member) -> Admission:
        """Say whether a member is to be heard. `address` is where it says that it is reached, perhaps a new place."""
        ...

    def receive(self, sender: MemberId, message: Message) -> None:
        """Take a message, in the order in which the sender sent it."""
        ...

    def connected(self, peer: MemberId) -> None:
        """From now on messages reach this peer."""
        ...

    def disconnected(self, peer: MemberId) -> None:
        """Messages do not reach this peer any more; what was sent lately may be lost. Once for each `connected`."""
        ...

    def refused(self, peer: MemberId, code: str, message: str) -> None:
        """A peer does not want to hear us: `raft.removed_member` tells a member that it was removed.

        Called for each attempt; attempts go on while it is one of the peers.
        """
        ...


class TransportSettings(Struct, frozen=True, kw_only=True):
    """Limits and times. `idle_timeout_s` must be several times `ping_interval_s`, and be the same for all members."""

    max_frame_bytes: int = 65 * _MIB  # a command of 64 MiB and what is around it
    max_queue_messages: int = 4096  # per peer
    max_queue_bytes: int = 128 * _MIB
    dial_timeout_s: float = 5.0  # from the first packet to the welcome, and as long for whom we listen to
    write_timeout_s: float = 10.0  # for a peer to take a quarter of a MiB
    ping_interval_s: float = 2.0
    idle_timeout_s: float = 10.0
    backoff_initial_s: float = 0.05
    backoff_max_s: float = 3.0


class TransportCounters(Struct):
    """What has happened since the start. Codes are those of `wire.core.codes`, so that there are few."""

    sent: int = 0
    sent_bytes: int = 0
    received: int = 0
    received_bytes: int = 0
    dropped_unconnected: int = 0
    dropped_queue_full: int = 0
    dropped_too_large: int = 0
    dialed: int = 0  # connections that were made and welcomed
    accepted: int = 0  # connections that we welcomed
    unreachable: int = 0  # attempts without any answer
    idled: int = 0  # connections given up because nothing was heard
    stalled: int = 0  # connections given up because nothing was taken
    protocol_faults: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # whom we turned away, by code
    refusals: dict[str, int] = field(default_factory=dict)  # how often we were turned away, by code

    def copy(self) -> TransportCounters:
        """Return what is counted up to now."""
        return replace(self, refused=dict(self.refused), refusals=dict(self.refusals))


def count(by_code: dict[str, int], code: str) -> None:
    """Add one to what is counted by code."""
    by_code[code] = by_code.get(code, 0) + 1
