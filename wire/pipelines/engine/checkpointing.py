"""When a task's progress is committed, and what waits for it: sinks that write in transactions, and whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from wire.core.ports import Transactions
from wire.core.records import PartitionKey, Position
from wire.pipelines.engine.branch import Branch
from wire.pipelines.engine.committer import Committer
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.run import Run


class Checkpointing:
    """Commits at intervals, one commit at a time; `release` is told what each covers (I1)."""

    def __init__(
        self,
        run: Run,
        branches: Sequence[Branch],
        committer: Committer,
        transactions: Transactions | None,
        release: Callable[[Mapping[PartitionKey, Position]], Awaitable[None]],
    ) -> None:
        """Commit what the branches have written; where there are `transactions`, these say how often."""
        self._ledger = run.ledger
        self._progress = run.progress
        self._clock = run.clock
        self._interval_s = run.spec.checkpoint.interval.s
        self._branches = branches
        self._committer = committer
        self._transactions = transactions
        self._release = release
        self._now = asyncio.Event()
        self._committed = asyncio.Event()  # set, and replaced, by each round
        self._at_rest = asyncio.Event()  # set when what a commit is to cover is settled
        self._committing = asyncio.Lock()

    async def run(self) -> None:
        """Commit again and again, for ever. Ends by cancellation or with the error that stops the pipeline."""
        if self._transactions is None:
            await self._commit_every(self._interval_s)
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_every(self._transactions.interval_s))
            tasks.create_task(self._tell_store())

    async def last(self) -> None:
        """Commit what is settled, and tell the store, too: everything is written, or nothing more will be."""
        await self._commit()
        await self._committer.tell()

    async def next(self) -> None:
        """Return when everything that is settled now is committed; it does not wait for the interval to pass."""
        self._now.set()
        await self._committed.wait()

    def settled(self) -> None:
        """Learn that the ledger settled something."""
        if not self._ledger.pending_sealed:
            self._at_rest.set()
        if self._transactions is not None:
            taken = sum(branch.uncommitted_bytes for branch in self._branches)
            if taken >= self._transactions.max_bytes:
                self._now.set()

    async def _commit_every(self, interval_s: float) -> None:
        while True:
            await within(self._now, 0, self._clock.sleep(interval_s))
            self._now.clear()
            committed, self._committed = self._committed, asyncio.Event()
            if self._committer.transactional:
                await self._commit_sealed()
            else:
                await self._commit()
            committed.set()

    async def _tell_store(self) -> None:
        """Tell the store what transactions keep; these go on while it is away."""
        while True:
            await self._clock.sleep(self._interval_s)
            await self._committer.tell()

    async def _commit_sealed(self) -> None:
        """Let all batches settle of which a transaction may have a part, then commit: just these are covered."""
        sealed = max(branch.begun for branch in self._branches)
        self._ledger.seal(sealed)
        self._at_rest.clear()
        for branch in self._branches:
            branch.seal(sealed)
        try:
            if self._ledger.pending_sealed:
                await self._at_rest.wait()
            await self._commit()
        finally:
            for branch in self._branches:
                branch.unseal()

    async def _commit(self) -> None:
        async with self._committing:
            covered = await self._committer.commit()
            if covered:
                self._progress.checkpoints += 1
                for branch in self._branches:
                    branch.committed()
            await self._release(covered)
