"""A cursor whose answers are decoded in pieces.

An answer holds half a megabyte of documents. Decoded as a whole they take ten times that in memory, which is out of
the processor's cache before the first is made into a record: on a busy machine a third of all time went there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from bson import CodecOptions, decode, decode_all
from pymongo.asynchronous.cursor import AsyncCursor

_PIECE: Final = 32
_INT32: Final = struct.Struct("<i")
_CURSOR: Final = b"\x03cursor\x00"
_BATCHES: Final = (b"\x04firstBatch\x00", b"\x04nextBatch\x00")
_EMPTY: Final = b"\x05\x00\x00\x00\x00"

Document = dict[str, Any]


class Undecoded(NamedTuple):
    """An array of documents as BSON, and how to decode them."""

    array: bytes
    codec: CodecOptions[Any]

    def pieces(self) -> Iterator[list[Document]]:
        """Decode some documents at a time, in order."""
        array = self.array
        at, end = _INT32.size, len(array) - 1
        held: list[bytes] = []
        while at < end:
            at = array.index(0, at) + 1  # behind the type and the index, which is text
            (size,) = _INT32.unpack_from(array, at)
            held.append(array[at : at + size])
            at += size
            if len(held) == _PIECE:
                yield decode_all(b"".join(held), self.codec)
                held.clear()
        if held:
            yield decode_all(b"".join(held), self.codec)


class PiecewiseCursor(AsyncCursor[Any]):
    """The library's own cursor, but for this: an answer comes as one item, `Undecoded`. Read it by `fetch`."""

    def _unpack_response(
        self,
        response: Any,
        cursor_id: int | None,
        codec_options: CodecOptions[Any],
        user_fields: Mapping[str, Any] | None = None,
        legacy_response: bool = False,
    ) -> list[Any]:
        answer = bytes(response.raw_command_response())
        found = cut(answer)
        if found is None:
            return [decode(answer, codec_options)]
        rest, array = found
        decoded = decode(rest, codec_options)
        cursor = decoded["cursor"]
        cursor["firstBatch" if "firstBatch" in cursor else "nextBatch"] = [Undecoded(array, codec_options)]
        return [decoded]


async def fetch(cursor: AsyncCursor[Any]) -> Iterable[list[Document]]:
    """Return the documents of the next answer, in order, in lists that are decoded as they are taken.

    At most one request is made. Where the library has decoded already there is one list.
    """
    found: list[Any] = []
    await cursor._next_batch(found)
    return found[0].pieces() if found and isinstance(found[0], Undecoded) else [found]


def cut(answer: bytes) -> tuple[bytes, bytes] | None:
    """Return an answer without its documents, and the array of them; None where they don't stand at the beginning.

    Every server puts them there; an error has none.
    """
    at = _INT32.size
    if not answer.startswith(_CURSOR, at):
        return None
    at += len(_CURSOR)
    (inner,) = _INT32.unpack_from(answer, at)
    name = next((each for each in _BATCHES if answer.startswith(each, at + _INT32.size)), None)
    if name is None:
        return None
    begin = at + _INT32.size + len(name)
    (size,) = _INT32.unpack_from(answer, begin)
    less = size - len(_EMPTY)
    rest = b"".join(
        (
            _INT32.pack(len(answer) - less),
            _CURSOR,
            _INT32.pack(inner - less),
            name,
            _EMPTY,
            answer[begin + size :],
        )
    )
    return rest, answer[begin : begin + size]
