"""Asks for what the records of a batch need: each thing once, what is remembered not at all, some at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from wire.core.clock import Clock
from wire.core.errors import RecordError, RetryableError, root_cause
from wire.pipelines.transforms.enrich.cache import UNKNOWN, Cache
from wire.pipelines.transforms.enrich.service import Request, Row, Service

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0

Found = tuple[Any, ...] | None
"""What a record gets, None where there was nothing."""

Failed = RetryableError | RecordError


class Asker:
    """Finds out what belongs to requests. Several batches may ask at a time; together they are bounded."""

    def __init__(
        self,
        service: Service,
        select: Callable[[Row], tuple[Any, ...]],
        cache: Cache,
        clock: Clock,
        *,
        retries: int,
        concurrency: int,
    ) -> None:
        """Ask `service`; `select` makes of what it finds what a record gets, and what is remembered."""
        self._service = service
        self._select = select
        self._cache = cache
        self._clock = clock
        self._retries = retries
        self._slots = asyncio.Semaphore(concurrency)
        self._rng = random.Random()  # noqa: S311 (jitter)

    async def find(self, requests: Iterable[Request]) -> dict[Request, Found | Failed]:
        """Return for each what belongs to it, or why that is not known. Raises UnavailableError."""
        known: dict[Request, Found | Failed] = {}
        unknown: list[Request] = []
        for request in dict.fromkeys(requests):
            found = self._cache.get(request)
            if found is UNKNOWN:
                unknown.append(request)
            else:
                known[request] = found
        most = self._service.most
        try:
            async with asyncio.TaskGroup() as tasks:
                asking = [tasks.create_task(self._ask(unknown[at : at + most])) for at in range(0, len(unknown), most)]
        except BaseExceptionGroup as group:
            raise root_cause(group) from group
        for task in asking:
            known.update(task.result())
        return known

    async def _ask(self, requests: Sequence[Request]) -> dict[Request, Found | Failed]:
        try:
            async with self._slots:
                rows = await self._patiently(requests)
        except (RetryableError, RecordError) as exc:
            return dict.fromkeys(requests, exc)
        answered: dict[Request, Found | Failed] = {}
        for request, row in zip(requests, rows, strict=True):
            try:
                found = None if row is None else self._select(row)
            except RecordError as exc:  # an expression of `select` does not take what is there
                answered[request] = exc
            else:
                answered[request] = found
                self._cache.put(request, found)
        return answered

    async def _patiently(self, requests: Sequence[Request]) -> Sequence[Row | None]:
        wait_s = _FIRST_WAIT_S
        for _ in range(self._retries):
            try:
                return await self._service.ask(requests)
            except RetryableError as exc:
                if exc.after_s > _LONGEST_WAIT_S:
                    raise
                await self._clock.sleep(max(exc.after_s, self._rng.uniform(0, wait_s)))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        return await self._service.ask(requests)
