"""Compressing segments that are not written to any more, and reading them: one zstd frame with a checksum in it."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from wire.core.plugins import missing_dependency
from wire.raft.storage.errors import not_synced, refused
from wire.raft.storage.files import Files
from wire.raft.storage.scanning import damaged
from wire.raft.storage.segments import UNFINISHED, Segment, sync_names

SUFFIX: Final = ".zst"
_SLICE: Final = 1 << 20


class Compression:
    """One segment on its way into a compressed file, a MiB at a time. Until it is done the segment stays as it is."""

    def __init__(self, files: Files, segment: Segment) -> None:
        """Begin. Raises StorageError, or UnavailableError if the library is missing."""
        self.segment = segment
        self._files = files
        self._zstd = zstandard().ZstdCompressor(level=3, write_checksum=True).compressobj()
        self._name = segment.name + SUFFIX
        self._offset = 0
        try:
            self._source = files.open(segment.name)
        except OSError as exc:
            raise refused(files.path(segment.name), "open", exc) from exc
        try:
            self._target = files.create(self._name + UNFINISHED)
        except OSError as exc:
            self._source.close()
            raise refused(files.path(self._name), "create", exc) from exc

    def step(self) -> bool:
        """Compress a slice; return whether that was the last, and the compressed file has taken the other's place.

        Raises StorageError. With code `raft.storage.full` the log is as it was, and `abandon` is to be called; with
        another it must not be used any more.
        """
        try:
            self._compress()
            if self._offset < self.segment.size:
                return False
            self._files.rename(self._name + UNFINISHED, self._name)
        except OSError as exc:
            raise refused(self._files.path(self._name), "write", exc) from exc
        sync_names(self._files)  # before the original goes: one of the two is always there
        plain, self.segment.name = self.segment.name, self._name
        self._close()
        try:
            self._files.remove(plain)
        except OSError as exc:
            raise refused(self._files.path(plain), "remove", exc) from exc
        return True

    def abandon(self) -> None:
        """Throw away what there is of the compressed file. Idempotent, and does nothing once it is done."""
        self._close()
        with contextlib.suppress(OSError):
            self._files.remove(self._name + UNFINISHED)

    def _compress(self) -> None:
        piece = self._source.read(self._offset, min(_SLICE, self.segment.size - self._offset))
        self._offset += len(piece)
        data = self._zstd.compress(piece)
        if self._offset == self.segment.size:
            data += self._zstd.flush()
        self._target.append(data)
        try:
            self._target.sync()
        except OSError as exc:
            raise not_synced(self._files.path(self._name), exc) from exc

    def _close(self) -> None:
        self._source.close()
        self._target.close()


def decompress(data: bytes, path: str) -> bytes:
    """Return what was compressed. Raises StorageError if it is damaged, UnavailableError if the library is missing."""
    library = zstandard()
    frame = library.ZstdDecompressor().decompressobj()
    try:
        content: bytes = frame.decompress(data)
    except library.ZstdError as exc:
        damaged(path, 0, f"it can't be decompressed: {exc}")
    if not frame.eof:
        damaged(path, len(data), "the compressed data ends too early")
    return content


def zstandard() -> Any:
    """Import the library. Raises UnavailableError if it is missing."""
    try:
        import zstandard as library
    except ImportError as exc:
        raise missing_dependency("a compressed log", "zstd", exc) from exc
    return library
