"""One open file as a stream of decompressed bytes that can be told from its successors."""

from __future__ import annotations

import os
from typing import Final, Literal

from wire.clients.compression import ByteStream, Codec, codec_of_content, codec_of_name, decompressed
from wire.sources.file.position import HEAD, FilePosition, digest

Compression = Literal["auto", "none", "gzip", "zstd"]

_SKIP: Final = 1 << 20


class FileStream:
    """Reads one file from an offset on. All methods block; `read` may be called from any one thread at a time."""

    def __init__(self, path: str, compression: Compression) -> None:
        """Open `path` at its start. Raises OSError."""
        self.path = path
        self.offset = 0
        self._raw = open(path, "rb", buffering=0)  # noqa: SIM115 (closed by `close`)
        try:
            self.codec = self._codec(compression)
            self._content: ByteStream = decompressed(self._raw, self.codec)
        except BaseException:
            self._raw.close()
            raise

    def _codec(self, compression: Compression) -> Codec:
        if compression != "auto":
            return compression
        head = self._raw.read(4)
        self._raw.seek(0)
        return codec_of_content(head) if len(head) >= 4 else codec_of_name(self.path)

    def stat(self) -> os.stat_result:
        """Describe the file that is open, whatever its name is by now."""
        return os.fstat(self._raw.fileno())

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end. Raises OSError, DamagedError or TruncatedError."""
        data = self._content.read(size)
        self.offset += len(data)
        return data

    def peek(self, offset: int, size: int) -> bytes:
        """Return bytes of a file that is not compressed, without moving."""
        return os.pread(self._raw.fileno(), size, offset)

    def skip_to(self, offset: int) -> bool:
        """Go to an offset further on; False when the file ends before it."""
        if self.codec == "none":
            if self.stat().st_size < offset:
                return False
            self._raw.seek(offset)
            self.offset = offset
            return True
        while self.offset < offset:
            if not self.read(min(_SKIP, offset - self.offset)):
                return False
        return True

    def go_to(self, position: FilePosition) -> bytes | None:
        """Go from the start to a position and return the file's first bytes, at most `HEAD`.

        None when the file is not the one the position was taken from.
        """
        head = self._read_exactly(min(HEAD, position.offset))
        if position.row < len(head):
            row = (head + self._read_exactly(max(0, position.row + position.row_size - len(head))))[position.row :]
        elif self.skip_to(position.row):
            row = self._read_exactly(position.row_size)
        else:
            return None
        if digest(head, row[: position.row_size]) != position.digest or not self.skip_to(position.offset):
            return None
        return head

    def _read_exactly(self, size: int) -> bytes:
        pieces = b""
        while len(pieces) < size and (piece := self.read(size - len(pieces))):
            pieces += piece
        return pieces

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._raw.close()
