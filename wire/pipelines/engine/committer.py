"""Commits checkpoints: sinks first, then the store; only then may anyone be told (I1).

With transactional writers the order is: `commit` of each (durable, but not yet in effect), the store takes positions
and tokens together, `committed` of each. A crash in between is mended by `Sink.open`, which gets the stored token.
Where sinks write in `Transactions`, those stand in the place of the store, which is told later.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
import structlog

from wire.core.errors import ConfigError, Finding, RetryableError, WireError
from wire.core.ports import TransactionalWriter, Transactions
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position
from wire.pipelines.engine.checkpoints import CheckpointStore
from wire.pipelines.engine.run import Run

log = structlog.get_logger()

T = TypeVar("T")


class Committer:
    """Turns what the ledger has settled into committed checkpoints. One commit at a time.

    After one that was cancelled or failed there must be no other: nobody knows how far it came.
    """

    def __init__(
        self,
        run: Run,
        store: CheckpointStore,
        transactions: Transactions | None,
        *,
        epoch: int,
        generation: int,
        loaded: Mapping[PartitionKey, Checkpoint],
        untold: Mapping[PartitionKey, Checkpoint],
    ) -> None:
        """Go on from the checkpoints `loaded`, under `epoch`: those of `transactions`, where there are any.

        `untold` are those of them that the store has not.
        """
        self._store = store
        self._transactions = transactions
        self._untold = dict(untold)
        self._telling = asyncio.Lock()
        self._ledger = run.ledger
        self._run = run
        self._clock = run.clock
        self._epoch = epoch
        self._generation = generation
        self._last = dict(loaded)
        self._fingerprints: dict[str, Fingerprint] = {}
        self._writers: dict[str, TransactionalWriter] = {}
        self._committed_at: float | None = None
        self._ended: WireError | None = None
        self.retrying: RetryableError | None = None

    @property
    def transactional(self) -> bool:
        """Whether sinks take part in the commit: what they were given must be settled then, and just that."""
        return bool(self._writers) or self._transactions is not None

    def add_writer(self, name: str, writer: TransactionalWriter) -> None:
        """Let a transactional writer take part, under the name of its sink."""
        self._writers[name] = writer

    def recover(self, sink: str) -> dict[PartitionId, Checkpoint]:
        """Return what `Sink.open` needs: every partition's last checkpoint with this sink's own token."""
        found: dict[PartitionId, Checkpoint] = {}
        for key, checkpoint in self._last.items():
            token = (
                msgspec.msgpack.decode(checkpoint.sink, type=dict[str, bytes]).get(sink) if checkpoint.sink else None
            )
            found[_flat(key)] = msgspec.structs.replace(checkpoint, sink=token)
        return found

    def position(self, key: PartitionKey, fingerprint: Fingerprint, path: str) -> Position | None:
        """Return where to resume a partition of the source at `path`, None to begin at its start.

        Raises ConfigError when the source's checkpoints were taken from something else than what is read now.
        """
        if key.source not in self._fingerprints:
            self._check(key.source, fingerprint, path)
            self._fingerprints[key.source] = fingerprint
        checkpoint = self._last.get(key)
        return checkpoint.position if checkpoint else None

    def _check(self, source: str, fingerprint: Fingerprint, path: str) -> None:
        if all(checkpoint.source == fingerprint for key, checkpoint in self._last.items() if key.source == source):
            return
        finding = Finding(
            code="checkpoint.source_changed",
            path=path,
            message=f"the checkpoints of `{source}` belong to another source than the one configured now",
            hint="start over with --reset, or keep the old progress and give this run another --state-dir",
        )
        raise ConfigError([finding])

    def age_s(self) -> float | None:
        """Return the seconds since the last commit, None before the first."""
        return None if self._committed_at is None else self._clock.monotonic() - self._committed_at

    async def commit(self) -> dict[PartitionKey, Position]:
        """Commit what settled since the last time; return the positions that are now safe to release (I1).

        With transactional writers, call it only while nothing of what they were given is pending. Retries while there
        is hope, raises FatalError, FencedError or RestartError when there is none; then there is no other commit.
        """
        if self._ended is not None:  # whoever waited for its turn would cover what may have been taken back
            raise self._ended
        try:
            return await self._commit()
        except WireError as exc:
            self._ended = exc
            raise

    async def _commit(self) -> dict[PartitionKey, Position]:
        advanced = self._ledger.take()
        if not advanced:
            return {}
        checkpoints = {key: self._next(key, position) for key, position in advanced.items()}
        stored = await self._with_tokens(checkpoints)
        if self._transactions is None:
            await self._patiently(lambda: self._store.commit(self._epoch, stored))
        else:
            await self._transactions.commit(stored)
            self._untold |= stored
        self._last.update(stored)
        self._committed_at = self._clock.monotonic()
        for writer in self._writers.values():
            await self._patiently(writer.committed)
        return advanced

    async def tell(self) -> None:
        """Tell the store what transactions have kept since the last time. Errors as in `commit`."""
        async with self._telling:
            untold, self._untold = self._untold, {}
            if untold:
                await self._patiently(lambda: self._store.commit(self._epoch, untold))

    def _next(self, key: PartitionKey, position: Position) -> Checkpoint:
        last = self._last.get(key)
        generation = max(self._generation, last.generation if last else 0)
        seq = last.seq + 1 if last and last.generation == generation else 1
        fingerprint = self._fingerprints[key.source]
        return Checkpoint(generation=generation, seq=seq, position=position, source=fingerprint)

    async def _with_tokens(self, checkpoints: dict[PartitionKey, Checkpoint]) -> dict[PartitionKey, Checkpoint]:
        if not self._writers:
            return checkpoints
        flat = {_flat(key): checkpoint for key, checkpoint in checkpoints.items()}
        tokens = {}
        for name, writer in self._writers.items():
            tokens[name] = await self._patiently(functools.partial(writer.commit, flat))
        packed = msgspec.msgpack.encode(tokens)
        return {key: msgspec.structs.replace(checkpoint, sink=packed) for key, checkpoint in checkpoints.items()}

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        result = await self._run.persist(attempt, self._failed)
        self.retrying = None
        return result

    def _failed(self, error: RetryableError, wait_s: float) -> None:
        self.retrying = error
        log.warning("checkpoint_retry", code=error.code, error=error.message, wait_s=round(wait_s, 3))


def _flat(key: PartitionKey) -> PartitionId:
    return PartitionId(f"{key.source}/{key.partition}")
