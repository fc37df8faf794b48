"""What members say to each other once they know who they are.

On the wire a message is a msgpack array that begins with its tag. Fields are added at the end only, and together with
a new version of the protocol (`handshake`): a member takes exactly the fields it knows.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from wire.raft.storage.ports import SnapshotInfo
from wire.raft.transport.framing import decoded
from wire.raft.types import Entry

Number: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
RequestId: TypeAlias = Annotated[bytes, Meta(max_length=128)]
Code: TypeAlias = Annotated[str, Meta(max_length=128)]


class _Message(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """`term` is the sender's, except where it says otherwise."""

    term: Number


class PreVote(_Message, frozen=True, tag="pv"):
    """Asks whether an election could be won in `term`, the one after the sender's. `round` comes back in the reply."""

    round: Number
    last_index: Number
    last_term: Number


class PreVoteReply(_Message, frozen=True, tag="pvr"):
    """Answers `PreVote`; nothing is promised by it."""

    round: Number
    granted: bool


class RequestVote(_Message, frozen=True, tag="rv"):
    """Asks for the vote in `term`. The sender's log ends with `last_index`, which is of `last_term`."""

    last_index: Number
    last_term: Number


class VoteReply(_Message, frozen=True, tag="rvr"):
    """Answers `RequestVote` of the same term."""

    granted: bool


class Append(_Message, frozen=True, tag="a"):
    """Entries that follow `previous_index`, none in a heartbeat. `round` comes back in the reply.

    Making one with a gap, or with an entry of a newer term than the leader's, raises ValueError.
    """

    previous_index: Number
    previous_term: Number
    commit: Number
    round: Number
    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        for index, entry in enumerate(self.entries, self.previous_index + 1):
            if entry.index != index:
                raise ValueError(f"entry {entry.index} stands where {index} belongs")
            if not 0 <= entry.term <= self.term:
                raise ValueError(f"entry {index} is of term {entry.term}, its leader of {self.term}")


class AppendReply(_Message, frozen=True, tag="ar"):
    """Answers `Append`. With success the logs agree up to `index`; without, it is where to try next."""

    round: Number
    index: Number
    success: bool


class SnapshotPiece(_Message, frozen=True, tag="s"):
    """Bytes of a snapshot from `offset` on."""

    info: SnapshotInfo
    offset: Number
    data: bytes


class SnapshotReply(_Message, frozen=True, tag="sr"):
    """From which `offset` on bytes of the snapshot at `index` are missing, or that it is installed."""

    index: Number
    offset: Number
    done: bool


class TimeoutNow(_Message, frozen=True, tag="tn"):
    """The leader of `term` asks the receiver to begin an election at once."""


class Propose(_Message, frozen=True, tag="p"):
    """Asks the leader to append a command. `number` tells the sender's requests apart, barriers included."""

    number: Number
    request_id: RequestId
    command: bytes


class ProposeReply(_Message, frozen=True, tag="pr"):
    """Where the command of a request was appended. It is committed if the entry there has this term when it is."""

    number: Number
    index: Number
    index_term: Number


class Barrier(_Message, frozen=True, tag="b"):
    """Asks the leader up to where a read has to wait."""

    number: Number


class BarrierReply(_Message, frozen=True, tag="br"):
    """Everything confirmed before the request was sent is at or before `index`."""

    number: Number
    index: Number


class RequestRefused(_Message, frozen=True, tag="no"):
    """The request was not taken and never will be."""

    number: Number
    code: Code
    message: Annotated[str, Meta(max_length=2048)]


Request: TypeAlias = Propose | ProposeReply | Barrier | BarrierReply | RequestRefused
"""What callers ask by way of another member, and the answers."""

Message: TypeAlias = (
    PreVote
    | PreVoteReply
    | RequestVote
    | VoteReply
    | Append
    | AppendReply
    | SnapshotPiece
    | SnapshotReply
    | TimeoutNow
    | Request
)


_ENTRY_BYTES: Final = 128  # of an entry in memory, besides its command


def held_bytes(message: Message) -> int:
    """Return about how many bytes of commands and snapshots a message holds; the rest of it is small."""
    match message:
        case Append():
            return sum(len(entry.command) + _ENTRY_BYTES for entry in message.entries)
        case SnapshotPiece():
            return len(message.data)
        case Propose():
            return len(message.command)
        case _:
            return 0


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return the payload of a frame."""
    return _encoder.encode(message)


def decode(payload: bytes) -> Message:
    """Return what the payload of a frame says. Raises ProtocolError unless it is exactly one message."""
    return decoded(_decoder.decode, payload)
