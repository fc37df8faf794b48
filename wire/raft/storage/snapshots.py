"""Snapshots as files: one each, checksummed throughout, visible only when it is whole and durable.

`snapshot-<index>-<term>` is a snapshot, with `.tmp` one that is being written, with `….part` one that arrives. The
format is in `snapshot_format`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from xxhash import xxh3_64

from wire.raft.storage.errors import StorageError
from wire.raft.storage.files import Files
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshot_files import SnapshotFile, UnfinishedFile, explained
from wire.raft.storage.snapshot_format import (
    FOOTER_BYTES,
    MAX_CHUNK_BYTES,
    Footer,
    Header,
    encode_chunk,
    encode_footer,
    encode_header,
)
from wire.raft.storage.snapshot_receiving import PARTIAL, Receiver, partial_name, resume
from wire.raft.types import Configuration

_NAME: Final = re.compile(r"snapshot-(\d{20})-(\d{20})(\.tmp|-[0-9a-f]{16}-\d+\.part)?", re.ASCII)
_WRITE_BYTES: Final = 1 << 20
_MAX_OPEN: Final = 4


class FileSnapshots:
    """The snapshots of one member, in a folder that holds nothing else. Implements SnapshotStore.

    A snapshot that `commit` has returned for survives any crash (I5), and until then a crash leaves the one before as
    the newest. Beyond `retain` the oldest are removed. Not for concurrent use, except that a Writer's `write`, a
    Receiver's `accept` and the iterator of `chunks` share nothing with the rest. All methods block; all raise
    StorageError, with these codes:

    - `raft.storage.damaged`, `raft.storage.version`, `raft.storage.foreign`: a file here is broken, of another version
      of Wire, or another cluster's. The message names file and offset.
    - `raft.snapshot.damaged`: what arrived is not what was announced.
    - `raft.snapshot.gone`: the snapshot asked for is not there any more, or what was unfinished was given up.
    - `raft.storage.full`: there was no room. What was unfinished is removed, and all else goes on.
    - `raft.storage.failed`: the disk refused. What was unfinished is removed. After a failed sync of the folder itself
      nothing more is written: what is on disk is known only after a restart.
    """

    def __init__(self, files: Files, owner: bytes, retain: int = 3) -> None:
        """Open the folder; `owner` is the cluster's id, written into each snapshot; `retain` is at least 1.

        The ends of the newest snapshot are checked, what is between them when it is read. If it is damaged an older
        one is *not* taken instead: the log that led from that one on may be gone. What a crash left behind is removed,
        but for a transfer that can go on.
        """
        self._files = files
        self._owner = owner
        self._retain = retain
        self._newest: SnapshotInfo | None = None
        self._failure: str | None = None
        self._writing: UnfinishedFile | None = None
        self._receiver: Receiver | None = None
        self._open: dict[SnapshotInfo, SnapshotFile] = {}
        self._idle: set[SnapshotInfo] = set()
        self._sync_folder()  # I5: a name that a killed process left is there for certain only after this
        if names := self._names():
            with explained(files.path(names[-1]), "open"):
                self._newest = self._read_newest(names[-1])
        self._remove_leftovers()
        self._remove_oldest()

    @property
    def newest(self) -> SnapshotInfo | None:
        """The one of the highest index, None if there is none."""
        return self._newest

    def begin(self, index: int, term: int, configuration: Configuration) -> Writer:
        """Begin to write one. One that was begun before and not committed is thrown away."""
        self._refuse_after_failure()
        if self._writing is not None:
            self._writing.drop()
        name = _name(index, term) + ".tmp"
        with explained(self._files.path(name), "create"):
            self._writing = UnfinishedFile(self._files, name, self._files.create(name))
        return Writer(self._writing, Header(index, term, configuration, self._owner), self._install)

    def chunks(self, info: SnapshotInfo) -> Iterator[bytes]:
        """Yield the chunks that were written, each verified, the last one only when the file as a whole is right too.

        Raises when the iterator is used, at the first damage: then what was made of the chunks before is worth nothing.
        """
        with contextlib.closing(self._find(info)) as file:
            yield from file.chunks()

    def check(self, info: SnapshotInfo) -> bool:
        """Read some MiB on in the file; return whether all of it was read and is whole.

        From the first call on it stays readable, also when it is removed to make room for newer ones.
        """
        self._idle.discard(info)
        file = self._open.pop(info, None) or self._find(info)
        try:
            whole = file.verify_some()
        except BaseException:
            file.close()
            raise
        self._open[info] = file  # the end of the dict is what was used last
        if len(self._open) > _MAX_OPEN:  # I8
            self._close_sent(next(iter(self._open)))
        return whole

    def read(self, info: SnapshotInfo, offset: int, size: int) -> bytes:
        """Return bytes of the file, less than `size` only at its end.

        Whatever `check` has not read of it is read first, so that no damage is ever sent.
        """
        while not self.check(info):
            pass
        return self._open[info].read(offset, size)

    def receive(self, info: SnapshotInfo) -> Receiver:
        """Begin to receive one, or go on with it: `offset` says from where. Unfinished transfers of others are dropped.

        To go on, what has arrived is read and verified.
        """
        self._refuse_after_failure()
        if self._receiver is not None:
            self._receiver.let_go()
        self._remove_partials(info)
        file = resume(self._files, info, self._owner)
        self._receiver = Receiver(self._files, file, info, self._owner, self._install)
        self._sync_folder()  # or a crash could take the name, and with it all that arrives
        return self._receiver

    def close(self) -> None:
        """Let go of all files; what is being written is thrown away, what arrives can go on later. Idempotent."""
        if self._writing is not None:
            self._writing.drop()
        if self._receiver is not None:
            self._receiver.let_go()
        for info in list(self._open):
            self._close_sent(info)

    def _install(self, unfinished: UnfinishedFile, info: SnapshotInfo) -> None:
        try:
            self._refuse_after_failure()
        except StorageError:
            unfinished.drop()
            raise
        unfinished.finish(_name(info.index, info.term))
        self._sync_folder()  # I5: only now is it there for certain, and may the log that led to it be dropped
        if self._newest is None or info.index >= self._newest.index:
            self._newest = info
        self._remove_oldest()
        for idle in list(self._idle):  # nobody has read it since the last commit: give back the disk it may hold
            self._close_sent(idle)
        self._idle = set(self._open)

    def _sync_folder(self) -> None:
        try:
            with explained(self._files.path(""), "sync"):
                self._files.sync()
        except StorageError as exc:
            self._failure = exc.message
            raise

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            message = f"no snapshot can be made durable since the folder could not be synced: {self._failure}"
            raise StorageError("raft.storage.failed", message, hint="check the disk, then restart the member")

    def _names(self) -> list[str]:
        """Return the names of all whole ones, oldest first: they are as long as each other, and so sort by number."""
        with explained(self._files.path(""), "list"):
            return [name for name in self._files.names() if (match := _NAME.fullmatch(name)) and match[3] is None]

    def _read_newest(self, name: str) -> SnapshotInfo:
        with contextlib.closing(SnapshotFile(self._files, name, self._owner)) as file:
            if name != _name(file.info.index, file.info.term):
                message = (
                    f"{self._files.path(name)} holds the snapshot of entry {file.info.index} of term {file.info.term}"
                )
                raise StorageError("raft.storage.damaged", message, hint="give the file the name it had")
            return file.info

    def _remove_leftovers(self) -> None:
        with explained(self._files.path(""), "tidy up"):
            for name in self._files.names():
                match = _NAME.fullmatch(name)
                if match is None or match[3] is None:
                    continue
                of_use = match[3] != ".tmp" and (self._newest is None or int(match[1]) > self._newest.index)
                if not of_use:
                    self._files.remove(name)

    def _remove_oldest(self) -> None:
        with contextlib.suppress(OSError, StorageError):  # what stays does no harm, and is removed after the next one
            for name in self._names()[: -self._retain]:
                self._files.remove(name)

    def _remove_partials(self, but: SnapshotInfo) -> None:
        with explained(self._files.path(""), "tidy up"):
            for name in self._files.names():
                if _NAME.fullmatch(name) and name.endswith(PARTIAL) and name != partial_name(but):
                    self._files.remove(name)

    def _find(self, info: SnapshotInfo) -> SnapshotFile:
        name = _name(info.index, info.term)
        path = self._files.path(name)
        with explained(path, "open"):
            try:
                file = SnapshotFile(self._files, name, self._owner)
            except FileNotFoundError:
                raise StorageError("raft.snapshot.gone", f"{path} was removed meanwhile", hint=_GONE_HINT) from None
        if file.info != info:
            file.close()
            raise StorageError("raft.snapshot.gone", f"{path} was replaced meanwhile", hint=_GONE_HINT)
        return file

    def _close_sent(self, info: SnapshotInfo) -> None:
        self._idle.discard(info)
        self._open.pop(info).close()


class Writer:
    """A snapshot that this member writes. Bytes reach the disk in large pieces, and are durable after `commit`."""

    def __init__(
        self, file: UnfinishedFile, header: Header, install: Callable[[UnfinishedFile, SnapshotInfo], None]
    ) -> None:
        self._file = file
        self._header = header
        self._install = install
        self._running = xxh3_64()
        self._waiting = bytearray()
        self._size = 0
        self._chunks = 0
        self._put(encode_header(header))

    def write(self, chunk: bytes) -> None:
        """Add a chunk. Raises StorageError; then this one is thrown away, unless the chunk was just too large."""
        if len(chunk) > MAX_CHUNK_BYTES:
            message = f"a chunk of {len(chunk)} bytes is larger than the {MAX_CHUNK_BYTES} that can be read back"
            raise StorageError("raft.snapshot.chunk_too_large", message)
        self._put(encode_chunk(self._size, chunk))
        self._chunks += 1
        if len(self._waiting) >= _WRITE_BYTES:
            self._flush()

    def commit(self) -> SnapshotInfo:
        """Make it durable and the newest; older ones beyond those to keep are removed. Raises StorageError."""
        checksum = self._running.intdigest()
        size = self._size + FOOTER_BYTES
        self._put(encode_footer(Footer(self._chunks, size, checksum)))
        self._flush()
        header = self._header
        info = SnapshotInfo(header.index, header.term, header.configuration, size, checksum)
        self._install(self._file, info)
        return info

    def abort(self) -> None:
        """Throw it away. Idempotent, and does nothing after `commit`."""
        self._file.drop()

    def _put(self, frame: bytes) -> None:
        self._running.update(frame)
        self._waiting += frame
        self._size += len(frame)

    def _flush(self) -> None:
        self._file.append(bytes(self._waiting))
        self._waiting.clear()


_GONE_HINT: Final = "send the newest one"


def _name(index: int, term: int) -> str:
    return f"snapshot-{index:020}-{term:020}"
