"""The bytes of a snapshot file. Pure: what is read comes from a function that is passed in.

    header   "WIRESNAP", format version (u32), length (u32), a msgpack map, checksum of all that
    chunks   each: length (u32), checksum of the data, data
    footer   "WIRE-END", number of chunks (u64), size of the file (u64), checksum of all before the footer,
             checksum of the footer

Numbers are little-endian; checksums are xxh3_64. A chunk's checksum is seeded with where the chunk begins, so that one
in another place counts as damage too. The header keeps its shape in every version, so that any version can be told.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_intdigest

from wire.raft.types import Configuration

VERSION: Final = 1
MAX_CHUNK_BYTES: Final = 8 << 20
"""I8: a larger chunk is not written, and a larger announced length is damage, so memory is bounded when reading."""
READ_BYTES: Final = 1 << 20
"""How much is read at a time, at least."""

_MAX_HEADER_BYTES: Final = 4 << 20
_MAGIC: Final = b"WIRESNAP"
_END: Final = b"WIRE-END"
_HEAD: Final = struct.Struct("<8sII")
_CHECKSUM: Final = struct.Struct("<Q")
_CHUNK: Final = struct.Struct("<IQ")
_FOOTER: Final = struct.Struct("<8sQQQ")
FOOTER_BYTES: Final = _FOOTER.size + _CHECKSUM.size


class Header(Struct, frozen=True):
    """What a snapshot covers, and whose it is: `owner` is the id of the cluster."""

    index: int
    term: int
    configuration: Configuration
    owner: bytes


class Footer(Struct, frozen=True):
    """What the rest of the file must be like: `checksum` is of all that comes before the footer."""

    chunks: int
    size: int
    checksum: int


class DamageError(Exception):
    """The bytes are not what was written, and from which `offset` on."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset


class VersionError(Exception):
    """The file is whole, and in a format of another version."""


Take = Callable[[int], bytes]
"""Gives the next so many bytes, fewer only at the end of what there is."""


def encode_header(header: Header) -> bytes:
    """Return the first frame."""
    body = msgspec.msgpack.encode(header)
    frame = _HEAD.pack(_MAGIC, VERSION, len(body)) + body
    return frame + _CHECKSUM.pack(xxh3_64_intdigest(frame))


def read_header(take: Take) -> tuple[Header, bytes]:
    """Return the header and its frame. Raises DamageError or VersionError."""
    head = take(_HEAD.size)
    if len(head) < _HEAD.size:
        raise DamageError(len(head), "the file ends within the header")
    magic, version, length = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise DamageError(0, "it does not begin as a snapshot does")
    if length > _MAX_HEADER_BYTES:
        raise DamageError(0, f"the header has an impossible length of {length} bytes")
    frame = head + take(length + _CHECKSUM.size)
    if len(frame) < _HEAD.size + length + _CHECKSUM.size:
        raise DamageError(len(frame), "the file ends within the header")
    if _CHECKSUM.pack(xxh3_64_intdigest(frame[: -_CHECKSUM.size])) != frame[-_CHECKSUM.size :]:
        raise DamageError(0, "the header does not match its checksum")
    if version != VERSION:
        raise VersionError(f"its format is version {version}, and this program reads version {VERSION}")
    try:
        return msgspec.msgpack.decode(frame[_HEAD.size : -_CHECKSUM.size], type=Header), frame
    except msgspec.DecodeError as exc:
        raise DamageError(0, f"the header can't be decoded: {exc}") from exc


def encode_chunk(offset: int, chunk: bytes) -> bytes:
    """Return the frame of a chunk that begins at `offset`."""
    return _CHUNK.pack(len(chunk), xxh3_64_intdigest(chunk, offset)) + chunk


def read_chunks(take: Take, offset: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the frames between `offset`, where `take` is, and `end`: the head of each, and the verified chunk.

    Raises DamageError at the first that is damaged or reaches beyond `end`.
    """
    while offset < end:
        head = take(_CHUNK.size)
        if offset + _CHUNK.size > end or len(head) < _CHUNK.size:
            raise DamageError(offset, "it ends within a chunk")
        length, checksum = _CHUNK.unpack(head)
        if length > MAX_CHUNK_BYTES:
            raise DamageError(offset, f"a chunk has an impossible length of {length} bytes")
        if offset + _CHUNK.size + length > end:
            raise DamageError(offset, "a chunk reaches beyond the end")
        chunk = take(length)
        if len(chunk) < length:
            raise DamageError(offset, "it ends within a chunk")
        if xxh3_64_intdigest(chunk, offset) != checksum:
            raise DamageError(offset, "a chunk does not match its checksum")
        yield head, chunk
        offset += _CHUNK.size + length


def encode_footer(footer: Footer) -> bytes:
    """Return the last frame."""
    frame = _FOOTER.pack(_END, footer.chunks, footer.size, footer.checksum)
    return frame + _CHECKSUM.pack(xxh3_64_intdigest(frame))


def decode_footer(frame: bytes, offset: int) -> Footer:
    """Return what the last frame says; it begins at `offset`. Raises DamageError."""
    if len(frame) < FOOTER_BYTES:
        raise DamageError(offset + len(frame), "the file ends within the footer")
    magic, chunks, size, checksum = _FOOTER.unpack_from(frame)
    if magic != _END:
        raise DamageError(offset, "the file does not end as a snapshot does: its end is missing or damaged")
    if _CHECKSUM.pack(xxh3_64_intdigest(frame[: _FOOTER.size])) != frame[_FOOTER.size :]:
        raise DamageError(offset, "the footer does not match its checksum")
    if size != offset + FOOTER_BYTES:
        raise DamageError(offset, f"the file has {offset + FOOTER_BYTES} bytes and should have {size}")
    return Footer(chunks, size, checksum)
