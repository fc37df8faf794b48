"""Compressed files: recognised by their first bytes, read as a stream, written member by member.

gzip needs nothing; zstd needs the package `zstandard`, imported only when such a file is met.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, cast

from wire.core.plugins import missing_dependency

Codec = Literal["none", "gzip", "zstd"]

_MAGIC: Final[dict[bytes, Codec]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_ZSTD_INPUT: Final = 4096  # a frame may hold 32,000 times its size: what one call gives must fit in memory
_SUFFIXES: Final[dict[str, Codec]] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}


class ByteStream(Protocol):
    """Bytes that are read in order."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        ...


class DamagedError(Exception):
    """What is read is not what a compressor wrote."""


class TruncatedError(Exception):
    """Compressed data ends before its end."""


def codec_of_content(head: bytes) -> Codec:
    """Tell the codec from a file's first bytes (four are enough)."""
    return next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), "none")


def codec_of_name(path: str) -> Codec:
    """Tell the codec from a file's name."""
    return next((codec for suffix, codec in _SUFFIXES.items() if path.endswith(suffix)), "none")


def without_suffix(path: str) -> tuple[str, str]:
    """Split off the suffix that names a codec: `a.json.gz` is `a.json` and `.gz`."""
    suffix = next((suffix for suffix in _SUFFIXES if path.endswith(suffix)), "")
    return path.removesuffix(suffix), suffix


def decompressed(raw: ByteStream, codec: Codec) -> ByteStream:
    """Return the content of `raw`, over all members; bounded memory whatever the ratio.

    Its `read` raises DamagedError or TruncatedError. Raises UnavailableError when a library is missing.
    """
    if codec == "gzip":
        return _Gunzip(raw)
    return _Unzstd(raw) if codec == "zstd" else raw


def compressor(codec: Codec) -> Callable[[bytes], bytes]:
    """Return a function that makes one whole member. Raises UnavailableError when a library is missing."""
    if codec == "gzip":
        return _gzip_member
    if codec == "zstd":
        return cast("Callable[[bytes], bytes]", _zstandard().ZstdCompressor(level=3, write_checksum=True).compress)
    return bytes


def _gzip_member(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)  # no time in it: the same records give the same bytes


class _Gunzip:
    def __init__(self, raw: ByteStream) -> None:
        self._file = gzip.GzipFile(fileobj=raw, mode="rb")  # type: ignore[call-overload] # it only reads

    def read(self, size: int, /) -> bytes:
        try:
            return cast("bytes", self._file.read(size))
        except EOFError as exc:
            raise TruncatedError(str(exc)) from exc
        except (zlib.error, gzip.BadGzipFile) as exc:
            raise DamagedError(str(exc)) from exc


class _Unzstd:
    """Frame by frame: the library's own reader takes a file that was cut short for one that is complete."""

    def __init__(self, raw: ByteStream) -> None:
        self._zstandard = _zstandard()
        self._raw = raw
        self._frame: Any = None
        self._input = b""
        self._output = b""

    def read(self, size: int, /) -> bytes:
        pieces, held = [self._output], len(self._output)
        while held < size and (piece := self._more()) is not None:
            pieces.append(piece)
            held += len(piece)
        output = b"".join(pieces)
        self._output = output[size:]
        return output[:size]

    def _more(self) -> bytes | None:
        """Return what the next few bytes of input decompress to, None at the end."""
        data = self._input or self._raw.read(_ZSTD_INPUT)
        self._input = b""
        if not data:
            if self._frame is not None:
                raise TruncatedError("the last zstd frame is not complete")
            return None
        if self._frame is None:
            self._frame = self._zstandard.ZstdDecompressor().decompressobj()
        try:
            output = cast("bytes", self._frame.decompress(data))
        except self._zstandard.ZstdError as exc:
            raise DamagedError(str(exc)) from exc
        if self._frame.eof:
            self._input = self._frame.unused_data
            self._frame = None
        return output


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as exc:
        raise missing_dependency("zstd", "zstd", exc) from exc
    return zstandard
