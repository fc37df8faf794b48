"""Where checkpoints are kept, as the runner sees it, and the embedded store of `wire run`.

Invariant I3 lives here: the checkpoints of a partition only move forward, by `seq` within a generation, and only
under the newest epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

from wire.core.errors import FatalError, FencedError, RetryableError, UnavailableError
from wire.core.locking import HeldError, lock_folder
from wire.core.ports import Lineage
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position

T = TypeVar("T")


class CheckpointStore(Protocol):
    """Keeps the checkpoints of one pipeline, or of one task's share of it."""

    async def begin(self) -> int:
        """Take a new epoch, higher than any before; every older one can no longer commit (I4)."""
        ...

    async def load(self) -> dict[PartitionKey, Checkpoint]:
        """Return the last committed checkpoint of every partition."""
        ...

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        """Return once all of them are durable, or none is.

        Raises FencedError for an older epoch or a checkpoint that would move back (I3), RetryableError when there is
        no room, FatalError when the store is damaged.
        """
        ...

    async def generation(self) -> int:
        """Return the generation new checkpoints belong to; a reset raises it."""
        ...

    async def lineage(self) -> Lineage:
        """Return what tells this pipeline from any other one."""
        ...


_BUSY_S: Final = 1.0
_FORMAT: Final = 1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS counters (
    name TEXT PRIMARY KEY, value INTEGER NOT NULL, checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (
    source TEXT NOT NULL, partition TEXT NOT NULL, generation INTEGER NOT NULL, seq INTEGER NOT NULL,
    position BLOB NOT NULL, fingerprint BLOB NOT NULL, sink BLOB, checksum INTEGER NOT NULL,
    PRIMARY KEY (source, partition)
) STRICT, WITHOUT ROWID;
"""

_UPSERT: Final = """
INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET generation = excluded.generation, seq = excluded.seq, position = excluded.position,
    fingerprint = excluded.fingerprint, sink = excluded.sink, checksum = excluded.checksum
WHERE (excluded.generation, excluded.seq) > (checkpoints.generation, checkpoints.seq)
"""


class SqliteCheckpoints:
    """Checkpoints in one SQLite file, each row with its own checksum, every commit flushed to the disk.

    The folder is locked for as long as the store is open: a second run of the same pipeline is refused. All methods
    raise RetryableError while another program holds the file or there is no room, FatalError when it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create the store. Raises UnavailableError too, when the folder is locked or can't be written."""
        self._lock: int | None = _lock(folder)
        self._path = folder / "checkpoints.sqlite"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        try:
            self._db = self._thread.submit(self._guarded, self._connect).result()
        except BaseException:
            self._thread.shutdown()
            os.close(self._lock)
            raise

    async def begin(self) -> int:  # noqa: D102 (contract in CheckpointStore)
        return await self._run(lambda: self._raise("epoch"))

    async def generation(self) -> int:  # noqa: D102 (contract in CheckpointStore)
        return await self._run(lambda: self._counter("generation"))

    async def lineage(self) -> Lineage:  # noqa: D102 (contract in CheckpointStore)
        return Lineage(f"{await self._run(lambda: self._counter('lineage')):016x}")

    async def load(self) -> dict[PartitionKey, Checkpoint]:  # noqa: D102 (contract in CheckpointStore)
        return await self._run(self._load)

    async def commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:  # noqa: D102 (contract in CheckpointStore)
        await self._run(lambda: self._commit(epoch, checkpoints))

    async def reset(self) -> None:
        """Forget all checkpoints and raise the generation, so that the next start begins anew."""
        await self._run(self._reset)

    async def close(self) -> None:
        """Let go of the store. Idempotent."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            await self._run(self._db.close)
        finally:
            self._thread.shutdown()
            os.close(lock)

    async def _run(self, work: Callable[[], T]) -> T:
        # shielded: a cancelled commit still ends before anything else touches the database
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work))

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as exc:
            raise self._wrapped(exc) from exc
        except UnicodeDecodeError as exc:  # in SQLite's own message, or in a name
            raise self._damaged(str(exc)) from exc

    def _wrapped(self, exc: sqlite3.Error) -> FatalError | RetryableError:
        primary = (exc.sqlite_errorcode if hasattr(exc, "sqlite_errorcode") else 0) & 0xFF
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return RetryableError(
                "checkpoint.unavailable", f"another program uses {self._path}: {exc}", hint="close what has it open"
            )
        if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return RetryableError(
                "checkpoint.disk_full", f"can't write {self._path}: {exc}", hint="free space on the disk of --state-dir"
            )
        if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY):
            return UnavailableError(
                "checkpoint.unavailable", f"can't use {self._path}: {exc}", hint="check the folder's permissions"
            )
        return self._damaged(str(exc))

    def _damaged(self, what: str) -> FatalError:
        return FatalError("checkpoint.damaged", f"{self._path} is damaged: {what}", hint=_DAMAGED_HINT)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_S)
        # not WAL: SQLite cuts a log with a flipped byte short, and would serve checkpoints that are long out of date
        db.execute("PRAGMA journal_mode = TRUNCATE")
        db.execute("PRAGMA synchronous = FULL")  # a commit that returned survives a power cut
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._damaged(verdict)
        self._create(db)
        return db

    def _create(self, db: sqlite3.Connection) -> None:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found not in (0, _FORMAT):
            raise self._damaged(f"its format is {found}, not {_FORMAT}")
        if found == 0:
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version = {_FORMAT}")
        for name, value in (("epoch", 0), ("generation", 0), ("lineage", secrets.randbits(62))):
            db.execute("INSERT OR IGNORE INTO counters VALUES (?, ?, ?)", [name, value, _checksum([name, value])])

    def _counter(self, name: str) -> int:
        found = self._db.execute("SELECT value, checksum FROM counters WHERE name = ?", [name]).fetchone()
        if found is None or found[1] != _checksum([name, found[0]]):
            raise self._damaged(f"the {name} does not match its checksum")
        return int(found[0])

    def _raise(self, name: str) -> int:
        value = self._counter(name) + 1
        row = [value, _checksum([name, value]), name]
        self._db.execute("UPDATE counters SET value = ?, checksum = ? WHERE name = ?", row)
        return value

    def _load(self) -> dict[PartitionKey, Checkpoint]:
        found: dict[PartitionKey, Checkpoint] = {}
        for *row, checksum in self._db.execute("SELECT * FROM checkpoints"):
            if _checksum(row) != checksum:
                message = f"the checkpoint of {row[0]}/{row[1]} in {self._path} does not match its checksum"
                raise FatalError("checkpoint.damaged", message, hint=_DAMAGED_HINT)
            source, partition, generation, seq, position, fingerprint, sink = row
            found[PartitionKey(source, PartitionId(partition))] = Checkpoint(
                generation=generation, seq=seq, position=Position(position), source=Fingerprint(fingerprint), sink=sink
            )
        return found

    def _commit(self, epoch: int, checkpoints: Mapping[PartitionKey, Checkpoint]) -> None:
        rows = [
            [key.source, key.partition, c.generation, c.seq, bytes(c.position), bytes(c.source), c.sink]
            for key, c in checkpoints.items()
        ]
        with self._transaction():
            if self._counter("epoch") != epoch:  # I4
                raise FencedError("checkpoint.fenced", "a newer run of this pipeline has taken over", hint=_FENCED_HINT)
            for row in rows:
                if self._db.execute(_UPSERT, [*row, _checksum(row)]).rowcount != 1:  # I3
                    message = f"the checkpoint of {row[0]!r}/{row[1]!r} would move back"
                    raise FencedError("checkpoint.fenced", message, hint=_FENCED_HINT)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _reset(self) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM checkpoints")
            self._raise("generation")


_FENCED_HINT: Final = "let one run go on and end the others; a run of its own needs a `name` of its own"
_DAMAGED_HINT: Final = "restore the state folder from a copy, or start over with --reset in a new --state-dir"


def _checksum(row: Sequence[object]) -> int:
    return zlib.crc32(repr(list(row)).encode())


def _lock(folder: Path) -> int:
    try:
        return lock_folder(folder)
    except HeldError as exc:
        raise UnavailableError(
            "checkpoint.locked",
            f"the state folder {folder} is in use by another run (process {exc.holder})",
            hint="wait for it to end, or give this run its own --state-dir",
        ) from exc
    except OSError as exc:
        raise _unusable(folder, exc) from exc


def _unusable(folder: Path, exc: OSError) -> UnavailableError:
    return UnavailableError(
        "checkpoint.unavailable",
        f"can't write the state folder {folder}: {exc.strerror}",
        hint="choose another with --state-dir, or mend its permissions or make room",
    )
