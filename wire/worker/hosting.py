"""One run of a task, from the message that begins it to the one that says what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from wire.cluster.state import DISCOVERY, Error
from wire.core.clock import Clock
from wire.core.errors import (
    ConfigError,
    FencedError,
    RestartError,
    RetryableError,
    UnavailableError,
    WireError,
    root_cause,
)
from wire.core.permissions import Permissions
from wire.core.records import PartitionId
from wire.pipelines.engine.assembly import opened
from wire.pipelines.engine.parts import Share, build_parts
from wire.pipelines.engine.patience import within
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.retry import Backoff
from wire.pipelines.engine.runner import Runner
from wire.pipelines.lint import lint
from wire.pipelines.loaded import LoadedPipeline
from wire.worker.checkpoints import ClusterCheckpoints, Commit
from wire.worker.discovery import Discovery, Found
from wire.worker.discretion import Discretion
from wire.worker.protocol import Begin, Ended, Failed, Released
from wire.worker.sampling import SampleTaker, Takers

log = structlog.get_logger()

_LASTING: Final = "config."
"""Errors of this area are about the pipeline or the installation: waiting does not mend them."""

_RESTART_S: Final = 1.0

Outcome = Ended | Released | Failed


class Hosted:
    """A run under way. `stop` asks it to drain; it may be cancelled at any time, which loses nothing (I2)."""

    def __init__(
        self, begun: Begin, permissions: Permissions, clock: Clock, rng: random.Random, discretion: Discretion
    ) -> None:
        """Prepare; nothing happens before `run`. `discretion` takes secrets out of what is said."""
        self.begun = begun
        self.stop = asyncio.Event()
        self._permissions = permissions
        self._clock = clock
        self._rng = rng
        self._began_s = clock.monotonic()
        self._progress = Progress()
        self._runner: Runner | None = None
        self._unreadable = False
        self._takers = Takers()
        self._discretion = discretion
        self._learned: Counter[str] = Counter()

    def progress(self) -> Progress:
        """Return how it fares, with the gauges brought up to date where that can be done. Never raises."""
        try:
            if self._runner and not self._unreadable:
                self._runner.update_progress()
        except Exception:  # a connector's
            self._unreadable = True  # so that it is logged once
            log.exception("progress_unreadable", run=self.begun.run)
        self._progress.elapsed_s = self._clock.monotonic() - self._began_s
        return self._discretion.progress(self._progress)

    def close(self) -> None:
        """Learn that nothing more is said about this run."""
        self._discretion.forget(self._learned)

    def tap(self, id_: int, taker: SampleTaker) -> None:
        """Let `taker` see the records that go to the sinks, if any do yet."""
        if self._runner:
            sinks = [sink.name for sink in self._progress.sinks]
            self._takers.add(id_, taker)
            self._runner.tap(lambda source, outputs: self._takers(sinks, source, outputs))

    def untap(self, id_: int) -> None:
        """Show no more to one who did not get as much as was asked for. Idempotent."""
        self._takers.remove(id_)

    async def run(self, commit: Commit, found: Found) -> Outcome:
        """Run until the sources have ended, `stop` is set or it can't go on, and return which of these it was.

        Who is fenced has no more say in the matter: it is released as if it had been stopped. So is one that has to
        begin anew: the cluster starts it again.
        `found` is told of partitions, in a run of discovery. Raises nothing but CancelledError, whatever is wrong:
        other runs share the process.
        """
        pipeline, run = self.begun.pipeline, self.begun.run
        name = f"{pipeline.namespace}/{pipeline.name}"
        about = {"pipeline": name, "job": run.task.job, "slot": run.task.slot, "epoch": run.epoch}
        with structlog.contextvars.bound_contextvars(**about):
            try:
                await self._run(commit, found)
            except Exception as exc:  # a bug in one run must not end the others
                error = _cause(exc)
                if isinstance(error, RestartError):  # under an epoch of its own, which it is given once it is released
                    log.warning("task_restarts", code=error.code, error=error.message)
                    await within(self.stop, 0, self._clock.sleep(_RESTART_S))
                elif isinstance(error, FencedError):  # I4: whoever took over goes on; the pipeline has not failed
                    log.warning("task_fenced", code=error.code, error=error.message)
                else:
                    self._progress.state = "failed"
                    return Failed(run, self._discretion.error(_told(error)))
            else:
                if not self.stop.is_set():
                    return Ended(run)
        self._progress.state = "stopped"  # also one that had not begun
        return Released(run)

    async def _run(self, commit: Commit, found: Found) -> None:
        pipeline = await asyncio.to_thread(self._load)
        self._learned = self._discretion.learn(pipeline)
        if self.begun.run.task.slot == DISCOVERY:
            await self._discover(pipeline, found)
        else:
            store = ClusterCheckpoints(self.begun, commit)
            await self._patiently(pipeline, lambda: self._task(pipeline, store))

    def _load(self) -> LoadedPipeline:
        """Read the pipeline anew, under the permissions of this machine. Blocking."""
        return lint(self.begun.spec.decode(), permissions=self._permissions).require()

    async def _task(self, pipeline: LoadedPipeline, store: ClusterCheckpoints) -> None:
        slot = self.begun.run.task.slot
        parts = await asyncio.to_thread(
            build_parts,
            pipeline,
            share=self._share(),
            slot=slot,
            version=self.begun.version,
            tasks=self.begun.tasks,
        )
        async with contextlib.AsyncExitStack() as stack:

            async def open_() -> None:
                self._runner = await stack.enter_async_context(
                    opened(parts, store, self._progress, clock=self._clock, rng=self._rng)
                )

            if await within(self.stop, 0, open_()) and self._runner:
                await self._runner.run(self.stop)

    async def _discover(self, pipeline: LoadedPipeline, found: Found) -> None:
        discovery = Discovery(pipeline, found, self._progress, clock=self._clock, rng=self._rng)
        try:
            await self._patiently(pipeline, lambda: within(self.stop, 0, discovery.look()))
            await within(self.stop, 0, discovery.watch())
        finally:
            await discovery.close()

    def _share(self) -> Share:
        share: dict[str, list[PartitionId]] = {}
        for key in self.begun.share:
            share.setdefault(key.source, []).append(key.partition)
        return share

    async def _patiently(self, pipeline: LoadedPipeline, attempt: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Make an attempt; as long as a patient run finds something away before it works, wait and make another."""
        backoff = Backoff(pipeline.spec.retry, self._rng)
        while not self.stop.is_set():
            try:
                await attempt()
                return
            except Exception as exc:
                error = _cause(exc)
                if not isinstance(error, UnavailableError) or error.code.startswith(_LASTING):
                    raise
                if self._runner is not None or not self.begun.patient:
                    raise
                wait_s = backoff.next_s(RetryableError(error.code, error.message, path=error.path, hint=error.hint))
                self._progress.state, self._progress.last_error = "retrying", str(error)
                log.warning("begin_retry", code=error.code, error=error.message, wait_s=round(wait_s, 3))
            await within(self.stop, 0, self._clock.sleep(wait_s))


def _cause(exc: Exception) -> BaseException:
    return root_cause(exc) if isinstance(exc, BaseExceptionGroup) else exc


def _told(error: BaseException) -> Error:
    """Say for the pipeline's owner why it failed. What nobody foresaw is logged with its stack, and told without."""
    match error:
        case ConfigError() if len(error.findings) > 1:
            message = f"{error.message} (and {len(error.findings) - 1} more)"
            return Error(error.code, message, error.path, error.hint)
        case WireError():
            return Error(error.code, error.message, error.path, error.hint)
    log.error("task_crashed", exc_info=error)
    message = f"an error nobody foresaw ({type(error).__name__})"  # its text may hold anything (I9)
    return Error("worker.crashed_task", message, None, "the log of the node that ran it has the details")
