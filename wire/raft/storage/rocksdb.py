"""The log and the vote in RocksDB, through the package `rocksdict`: a second LogStore, with the same promises.

Keys are `e` and the index (big-endian, so that they sort), `owner` and `state`. Every value begins with a checksum of
its key and itself. One `sync` is one atomic write batch that RocksDB syncs, so that a crash leaves all of it or
nothing. RocksDB's own log is read in the mode that takes a last record that is incomplete for a crash, and refuses
anything else that is damaged in it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, assert_never

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_digest

from wire.core.plugins import missing_dependency
from wire.raft.storage.errors import StorageError
from wire.raft.storage.held import HeldLog
from wire.raft.storage.memory import Memory
from wire.raft.storage.records import Base, Change, Reset, State, Truncate
from wire.raft.storage.scanning import DAMAGED_HINT
from wire.raft.types import Entry, Vote

_VERSION: Final = 1
_TERM: Final = struct.Struct(">Q")
_DIGEST_SIZE: Final = 8
_OWNER: Final = b"owner"
_STATE: Final = b"state"
_END: Final = b"f"
"""What sorts behind all entries and before everything else."""


class _Owner(Struct, frozen=True):
    version: int
    owner: bytes


class RocksLog(HeldLog):
    """A LogStore over a folder of its own.

    Changes only go to memory; `sync` does all the writing. It raises StorageError with code `raft.storage.failed` (or
    `raft.storage.damaged`): RocksDB does not say whether anything of the batch is on disk, so that all changes and
    every further `sync` are refused until the log is opened anew, on a full disk too. Reads give what is in memory.
    """

    def __init__(self, folder: Path, owner: bytes) -> None:
        """Open the log, or begin one in an empty folder; `owner` names cluster and member.

        Raises StorageError if the log is damaged, another's, or of another version, or can't be opened. Raises
        UnavailableError if the package rocksdict is missing.
        """
        self._rocks = _library()
        self._path = str(folder)
        self._open = False
        super().__init__(Memory(), Vote(), [])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db: Any = self._rocks.Rdict(self._path, self._options())
        except Exception as exc:  # the package raises Exception itself
            raise self._refused("open", exc) from exc
        self._open = True
        try:
            self._load(owner)
        except StorageError:
            self.close()
            raise
        except Exception as exc:
            self.close()
            raise self._refused("read", exc) from exc

    def sync(self) -> None:
        """Return when all changes are on disk, all at once. Raises StorageError as the class says."""
        self._check()
        changes = self._pending[:]
        if not changes:
            return
        try:
            self._write(changes)
        except Exception as exc:  # the package raises Exception itself
            self._failure = self._refused("write", exc)
            raise self._failure from exc
        del self._pending[: len(changes)]

    def tidy(self) -> bool:
        """Do nothing: RocksDB tidies by itself."""
        return False

    @property
    def disk_bytes(self) -> int:
        """Bytes of all its files, of which some may be about to go."""
        return sum(file.stat().st_size for file in os.scandir(self._path))

    def close(self) -> None:  # noqa: D102 (contract in LogStore)
        if self._open:
            self._open = False
            self._db.close()

    def _write(self, changes: Sequence[Change]) -> None:
        batch = self._rocks.WriteBatch(raw_mode=True)
        for change in changes:
            match change:
                case Entry(index, term, command):
                    key = _key(index)
                    batch.put(key, _sealed(key, _TERM.pack(term) + command))
                case Truncate(first, _):
                    batch.delete_range(_key(first), _END)
                case Base(index, _):
                    batch.delete_range(_key(0), _key(index + 1))
                case Reset():
                    batch.delete_range(_key(0), _END)
                case Vote():
                    pass  # it is part of the state
                case _:
                    assert_never(change)
        state = State(self.base, self.last, self._vote)
        batch.put(_STATE, _sealed(_STATE, msgspec.msgpack.encode(state)))
        self._db.write(batch, self._synced())

    def _load(self, owner: bytes) -> None:
        self._check_owner(owner)
        stored = self._get(_STATE)
        state = State() if stored is None else msgspec.msgpack.decode(stored, type=State)
        self._vote = state.vote
        self._memory.reset(*state.base)
        for entry in self._entries():
            if entry.index != self.last[0] + 1:
                raise self._damaged(f"entry {entry.index} follows entry {self.last[0]}")
            self._memory.append(entry)
        if self.last != state.last:
            raise self._damaged(f"its last entry is {self.last[0]}, not {state.last[0]}")

    def _check_owner(self, owner: bytes) -> None:
        stored = self._get(_OWNER)
        if stored is None:
            mine = msgspec.msgpack.encode(_Owner(_VERSION, owner))
            self._db.put(_OWNER, _sealed(_OWNER, mine), self._synced())
            return
        found = msgspec.msgpack.decode(stored, type=_Owner)
        if found.version != _VERSION:
            message = f"{self._path} has format {found.version}; this version of Wire uses format {_VERSION}"
            raise StorageError("raft.storage.version", message, hint="run the version of Wire that wrote it")
        if found.owner != owner:
            theirs, mine_ = (repr(each.decode(errors="backslashreplace")) for each in (found.owner, owner))
            message = f"{self._path} was written by {theirs}, not by {mine_}"
            raise StorageError("raft.storage.foreign", message, hint="give each member a data folder of its own")

    def _entries(self) -> Sequence[Entry]:
        found = []
        stored = self._db.iter()
        stored.seek(_key(0))
        while stored.valid() and (key := stored.key()) < _END:
            content = self._opened(key, stored.value())
            found.append(Entry(_TERM.unpack(key[1:])[0], _TERM.unpack_from(content)[0], content[_TERM.size :]))
            stored.next()
        stored.status()  # raises: at a damaged block the iterator just ends
        return found

    def _get(self, key: bytes) -> bytes | None:
        value = self._db.get(key)
        return None if value is None else self._opened(key, value)

    def _opened(self, key: bytes, value: bytes) -> bytes:
        content = value[_DIGEST_SIZE:]
        if xxh3_64_digest(key + content) != value[:_DIGEST_SIZE]:
            raise self._damaged(f"what is stored under {key!r} does not match its checksum")
        return content

    def _options(self) -> Any:
        options = self._rocks.Options(raw_mode=True)  # bytes only: without it the package pickles what it does not know
        options.create_if_missing(True)
        options.set_paranoid_checks(True)
        options.set_wal_recovery_mode(self._rocks.DBRecoveryMode.tolerate_corrupted_tail_records())
        options.set_keep_log_file_num(3)
        return options

    def _synced(self) -> Any:
        options = self._rocks.WriteOptions()
        options.sync = True
        return options

    def _refused(self, what: str, exc: Exception) -> StorageError:
        if str(exc).startswith("Corruption"):
            return self._damaged(str(exc))
        hint = "check the disk and whether another process uses the folder, then restart the member"
        return StorageError("raft.storage.failed", f"can't {what} {self._path}: {exc}", hint=hint)

    def _damaged(self, what: str) -> StorageError:
        return StorageError("raft.storage.damaged", f"{self._path} is damaged: {what}", hint=DAMAGED_HINT)


def _key(index: int) -> bytes:
    return b"e" + _TERM.pack(index)


def _sealed(key: bytes, content: bytes) -> bytes:
    return xxh3_64_digest(key + content) + content


def _library() -> Any:
    try:
        import rocksdict
    except ImportError as exc:
        raise missing_dependency("a log in RocksDB", "rocksdb", exc) from exc
    return rocksdict
