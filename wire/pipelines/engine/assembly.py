"""Opens everything a task needs, in the order that recovery asks for, and closes it again whatever happens."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, TypeVar

import structlog

from wire.core.clock import Clock
from wire.core.errors import FatalError, RetryableError, WireError
from wire.core.ports import Sink, Source, TaskId, TransactionalSink, TransactionalWriter, Transactions, Writer
from wire.core.records import Checkpoint, PartitionId, PartitionKey
from wire.pipelines.engine.account import Account
from wire.pipelines.engine.branch import Branch
from wire.pipelines.engine.checkpoints import CheckpointStore
from wire.pipelines.engine.committer import Committer
from wire.pipelines.engine.dead_letters import DeadLetter, as_is, envelope
from wire.pipelines.engine.ledger import Ledger
from wire.pipelines.engine.progress import Progress, SinkProgress
from wire.pipelines.engine.rejecting import (
    ByRule,
    Fail,
    Fits,
    RejectedByDeadLetterSink,
    RejectPolicy,
    Skip,
    UpTo,
    about,
    places_of,
)
from wire.pipelines.engine.run import Run
from wire.pipelines.engine.runner import Input, Runner
from wire.pipelines.engine.throttle import Throttle
from wire.pipelines.located import located
from wire.pipelines.spec import PipelineSpec, SinkSpec, SourceSpec
from wire.pipelines.stage import Stage

log = structlog.get_logger()

T = TypeVar("T")

_DEAD_LETTER: Final = "dead_letter"
"""The dead-letter sink among the writers; the others are called `sinks/NAME`, so that nobody can take its name."""
_PLAIN_SOURCE: Final = SourceSpec(type="")
_PLAIN_SINK: Final = SinkSpec(type="")


@dataclass(frozen=True, slots=True)
class SourcePart:
    """A source that is built. `compile` makes the stage its records go through, once its partitions are known.

    `path` is where the pipeline names it, as `spec`. `share` are the partitions to read; None for all, those that come
    later too.
    """

    name: str
    type: str
    path: str
    source: Source
    compile: Callable[[], Stage]
    bounded: bool
    share: Sequence[PartitionId] | None = None
    spec: SourceSpec = _PLAIN_SOURCE


@dataclass(frozen=True, slots=True)
class SinkPart:
    """A sink that is built; `path` is where the pipeline names it, as `spec`."""

    name: str
    type: str
    path: str
    sink: Sink
    spec: SinkSpec = _PLAIN_SINK


@dataclass(frozen=True, slots=True)
class Parts:
    """A pipeline's components, built but not opened, for the task with the number `slot` of a `version` of it.

    It is one of so many `tasks`.
    """

    spec: PipelineSpec
    sources: Sequence[SourcePart]
    sinks: Sequence[SinkPart]
    dead_letter: SinkPart | None
    slot: int = 0
    version: int | None = None
    tasks: int = 1


@contextlib.asynccontextmanager
async def opened(
    parts: Parts, store: CheckpointStore, progress: Progress, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Runner]:
    """Take a new epoch, recover the sinks to the last checkpoint, and yield a runner that is ready to run.

    Raises UnavailableError or FatalError when something can't be opened; what was opened is closed again. On the way
    out the writers are closed first, then the stages, then the sources; what goes wrong then is raised unless there is
    an error already.
    """
    run = Run(parts.spec, Ledger(), progress, clock, rng, parts.tasks)
    async with contextlib.AsyncExitStack() as stack:
        for source in parts.sources:
            _close_with(stack, source.name, source.source.close)
        yield await _Assembly(parts, store, run, stack).open()


class _Assembly:
    def __init__(self, parts: Parts, store: CheckpointStore, run: Run, stack: contextlib.AsyncExitStack) -> None:
        self._parts = parts
        self._store = store
        self._run = run
        self._stack = stack
        self._runner: Runner | None = None
        self._throttle = Throttle(run.spec.rate_limit, run.tasks, run.clock)
        quota = run.spec.on_error.max_dead_letters
        self._account = None if quota is None else Account(quota, run.clock)

    async def open(self) -> Runner:
        parts, store = self._parts, self._store
        self._epoch = await store.begin()
        self._generation = await store.generation()
        self._task = await self._named()
        transactions = self._transactions()
        stored: Mapping[PartitionKey, Checkpoint] = await store.load()
        loaded = stored if transactions is None else await self._recovered(transactions, stored)
        self._committer = Committer(
            self._run,
            store,
            transactions,
            epoch=self._epoch,
            generation=self._generation,
            loaded=loaded,
            untold={key: checkpoint for key, checkpoint in loaded.items() if stored.get(key) != checkpoint},
        )
        inputs = [await self._input(source) for source in parts.sources]
        dead_letter, rejects = await self._open_rejects()
        branches = [await self._open_branch(sink, rejects) for sink in parts.sinks]
        self._runner = Runner(
            self._run,
            inputs,
            branches,
            dead_letter,
            rejects=rejects,
            committer=self._committer,
            transactions=transactions,
            account=self._account,
        )
        return self._runner

    async def _named(self) -> TaskId:
        """Say whose work this is, to sinks."""
        spec, shares = self._parts.spec, [(source.name, source.share) for source in self._parts.sources]
        share = tuple(PartitionKey(name, each) for name, some in shares for each in some or ())
        whole = any(some is None for _, some in shares)
        return TaskId(
            f"{spec.namespace}/{spec.name}",
            slot=self._parts.slot,
            generation=self._generation,
            lineage=await self._store.lineage(),
            share=None if whole else share,
        )

    def _transactions(self) -> Transactions | None:
        """Return those that sinks write in, if any do; lint sees to it that they are the same for all."""
        sinks = [part.sink for part in (*self._parts.sinks, self._parts.dead_letter) if part is not None]
        found = {id(sink.transactions): sink.transactions for sink in sinks if isinstance(sink, TransactionalSink)}
        if len(found) > 1:
            raise FatalError("pipeline.several_transactions", "sinks of several clusters can't share a transaction")
        return next(iter(found.values()), None)

    async def _recovered(
        self, transactions: Transactions, stored: Mapping[PartitionKey, Checkpoint]
    ) -> Mapping[PartitionKey, Checkpoint]:
        parts = [part for part in (*self._parts.sinks, self._parts.dead_letter) if part is not None]
        part = next(part for part in parts if isinstance(part.sink, TransactionalSink))
        _close_with(self._stack, part.name, transactions.close)
        return await self._patiently(
            part.name, part.path, lambda: transactions.recover(self._task, self._epoch, stored)
        )

    async def _open_rejects(self) -> tuple[Branch | None, RejectPolicy]:
        progress, part, on_error = self._run.progress, self._parts.dead_letter, self._parts.spec.on_error
        policies: dict[str, RejectPolicy] = {"fail": Fail(), "skip": Skip(progress)}
        branch = None
        if part is not None:
            progress.dead_letter = progress.dead_letter or SinkProgress(part.name, part.type)
            writer = await self._open_writer(part, _DEAD_LETTER)
            branch = self._branch(part, writer, RejectedByDeadLetterSink(), progress.dead_letter)
            wrap = as_is if part.sink.carries_headers else envelope
            version = self._parts.version
            policies["dead_letter"] = DeadLetter(self._parts.spec.name, version, progress, wrap, branch.put)
        named = [(each.name, each.path) for each in self._parts.sources]
        named += [(each.name, each.path) for each in self._parts.sinks]
        places = places_of(named, self._parts.spec)
        rules: list[tuple[Fits, RejectPolicy]] = [
            (about(rule, places), policies[rule.policy]) for rule in on_error.rules
        ]
        rejects = ByRule(rules, policies[on_error.policy]) if rules else policies[on_error.policy]
        return branch, rejects if self._account is None else UpTo(rejects, self._account)

    async def _open_branch(self, part: SinkPart, rejects: RejectPolicy) -> Branch:
        progress = self._run.progress.sink(part.name, part.type)
        return self._branch(part, await self._open_writer(part, f"sinks/{part.name}"), rejects, progress)

    def _branch(
        self, part: SinkPart, writer: Writer | TransactionalWriter, rejects: RejectPolicy, progress: SinkProgress
    ) -> Branch:
        transactional = isinstance(writer, TransactionalWriter) or isinstance(part.sink, TransactionalSink)
        return Branch(
            self._run,
            writer,
            part.spec,
            transactional=transactional,
            path=part.path,
            settled=self._settled,
            rejects=rejects,
            progress=progress,
        )

    async def _input(self, part: SourcePart) -> Input:
        progress = self._run.progress.source(part.name, part.type)
        progress.partitions = progress.ended = 0
        # asked first: a CSV source learns its columns by it, which the stage needs
        partitions = await self._patiently(part.name, part.path, part.source.partitions)
        stage = part.compile()
        _close_with(self._stack, part.name, stage.close)
        if part.share is not None:
            partitions = part.share
        complete = part.bounded or part.share is not None
        own = Throttle(part.spec.rate_limit, self._run.tasks, self._run.clock)
        throttles = tuple(throttle for throttle in (own, self._throttle) if throttle)
        return Input(part.name, part.path, part.source, stage, complete, partitions, progress, throttles)

    def _settled(self) -> None:
        if self._runner:
            self._runner.settled()

    async def _open_writer(self, part: SinkPart, name: str) -> Writer | TransactionalWriter:
        recover = self._committer.recover(name)
        writer = await self._patiently(part.name, part.path, lambda: part.sink.open(self._task, self._epoch, recover))
        _close_with(self._stack, part.name, writer.close)
        if isinstance(writer, TransactionalWriter):
            self._committer.add_writer(name, writer)
        return writer

    async def _patiently(self, name: str, path: str, attempt: Callable[[], Awaitable[T]]) -> T:
        async def located_attempt() -> T:
            with located(path):
                return await attempt()

        def failed(error: RetryableError, wait_s: float) -> None:
            self._run.progress.state, self._run.progress.last_error = "retrying", str(error)
            log.warning("open_retry", component=name, code=error.code, error=error.message, wait_s=round(wait_s, 3))

        return await self._run.persist(located_attempt, failed)


def _close_with(stack: contextlib.AsyncExitStack, name: str, close: Callable[[], Awaitable[None]]) -> None:
    """Have `stack` close something at its end, without hiding the error that brought the end about."""

    async def exit_(_: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        try:
            await close()
        except WireError as exc:
            if error is None:
                raise
            log.warning("close_failed", component=name, code=exc.code, error=exc.message)

    stack.push_async_exit(exit_)
