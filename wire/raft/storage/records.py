"""The records of the log: what a change, a segment's head and a mark look like as bytes.

    frame    checksum u64 | length of the payload u32 | kind u8 | payload        (all little-endian)
    HEAD     a Head as msgpack; only at the beginning of a segment, after MAGIC and the format's version u32
    MARK     synced u64 | following u64: when it was written the segment was on disk up to the offset `synced`;
             `following` bytes of frames come after it in the same write
    ENTRY    index u64 | term u64 | command
    TRUNCATE first u64 | term of the entry before it u64
    BASE     index u64 | term u64: the base moved up to an entry
    RESET    index u64 | term u64: the log was emptied and begins behind a received snapshot
    VOTE     a Vote as msgpack

The checksum is XXH3 (64 bits) of everything behind it, seeded with the key of the segment plus the frame's offset: a
frame that got somewhere else, in this file or another, is not valid there. The key comes from owner and sequence
number; a head's key is 0, so that a foreign segment can be told from a damaged one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, TypeAlias, assert_never

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_intdigest

from wire.raft.types import Entry, Vote

MAGIC: Final = b"WIRELOG\n"
VERSION: Final = 1
PREAMBLE: Final = struct.Struct("<8sI")
FRAME: Final = struct.Struct("<QIB")
MAX_COMMAND: Final = 1 << 30
"""A longer command is not taken."""

_CHECKSUM_SIZE: Final = 8
_TAG: Final = struct.Struct("<IB")
_ENTRY_TAG: Final = struct.Struct("<IBQQ")
_CHECKSUM: Final = struct.Struct("<Q")
_MASK: Final = (1 << 64) - 1


class Kind(IntEnum):
    """What a frame holds."""

    HEAD = 1
    MARK = 2
    ENTRY = 3
    TRUNCATE = 4
    BASE = 5
    RESET = 6
    VOTE = 7


PAIR: Final = struct.Struct("<QQ")
"""Two numbers: what most payloads are or begin with."""
MARK_SIZE: Final = FRAME.size + PAIR.size
MARK_TAG: Final = _TAG.pack(PAIR.size, Kind.MARK)
"""What the bytes of every mark have in common, behind the checksum."""


class Truncate(Struct, frozen=True):
    """Entries from `first` on were dropped; `term` is that of the entry before."""

    first: int
    term: int


class Base(Struct, frozen=True):
    """The log begins behind this entry, which was in it."""

    index: int
    term: int


class Reset(Struct, frozen=True):
    """The log was emptied and begins behind this."""

    index: int
    term: int


class Mark(Struct, frozen=True):
    """How far the segment was on disk, and how many bytes of frames were written along with the mark."""

    synced: int
    following: int


Change: TypeAlias = Entry | Truncate | Base | Reset | Vote


class State(Struct, frozen=True):
    """What the changes up to some moment come to, apart from the entries: base, last (index and term) and vote."""

    base: tuple[int, int] = (0, 0)
    last: tuple[int, int] = (0, 0)
    vote: Vote = Vote()


class Head(Struct, frozen=True):
    """What a segment begins with: everything needed once the segments before it are gone.

    `follows` is how many bytes of the segment before count; what is behind them was not known to be durable and, as
    far as it was readable, is repeated in this one.
    """

    owner: bytes
    sequence: int
    follows: int
    state: State


def key(owner: bytes, sequence: int) -> int:
    """Return what seeds the checksums of a segment, apart from the offset."""
    return xxh3_64_intdigest(owner, sequence)


def checksum(body: bytes | memoryview, seed: int) -> int:
    """Return the checksum of a frame's bytes behind the checksum; `seed` is the segment's key plus the offset."""
    return xxh3_64_intdigest(body, seed & _MASK)


def encode_batch(changes: Sequence[Change], segment_key: int, offset: int, synced: int) -> bytes:
    """Return a mark and the changes, to be written at `offset` of a segment that is on disk up to `synced`."""
    frames, at = [], offset + MARK_SIZE
    for change in changes:
        frame = _frame(_body(change), segment_key + at)
        frames.append(frame)
        at += len(frame)
    mark = _frame(_tagged(Kind.MARK, PAIR.pack(synced, at - offset - MARK_SIZE)), segment_key + offset)
    return b"".join((mark, *frames))


def encode_head(head: Head) -> bytes:
    """Return the first bytes of a segment."""
    frame = _frame(_tagged(Kind.HEAD, msgspec.msgpack.encode(head)), PREAMBLE.size)
    return PREAMBLE.pack(MAGIC, VERSION) + frame


def decode_head(payload: bytes) -> Head:
    """Return a head from its payload."""
    return _HEADS.decode(payload)


def decode_mark(payload: bytes) -> Mark:
    """Return a mark from its payload."""
    return Mark(*PAIR.unpack(payload))


def decode_change(kind: int, payload: bytes) -> Change | None:
    """Return a change other than an entry, None if there is no such kind of record."""
    match kind:
        case Kind.TRUNCATE:
            return Truncate(*PAIR.unpack(payload))
        case Kind.BASE:
            return Base(*PAIR.unpack(payload))
        case Kind.RESET:
            return Reset(*PAIR.unpack(payload))
        case Kind.VOTE:
            return _VOTES.decode(payload)
        case _:
            return None


_HEADS: Final = msgspec.msgpack.Decoder(Head)
_VOTES: Final = msgspec.msgpack.Decoder(Vote)


def _body(change: Change) -> bytes:
    match change:
        case Entry(index, term, command):
            return _ENTRY_TAG.pack(PAIR.size + len(command), Kind.ENTRY, index, term) + command
        case Truncate(first, term):
            return _tagged(Kind.TRUNCATE, PAIR.pack(first, term))
        case Base(index, term):
            return _tagged(Kind.BASE, PAIR.pack(index, term))
        case Reset(index, term):
            return _tagged(Kind.RESET, PAIR.pack(index, term))
        case Vote():
            return _tagged(Kind.VOTE, msgspec.msgpack.encode(change))
        case _:
            assert_never(change)


def _tagged(kind: int, payload: bytes) -> bytes:
    return _TAG.pack(len(payload), kind) + payload


def _frame(body: bytes, seed: int) -> bytes:
    return _CHECKSUM.pack(checksum(body, seed)) + body
