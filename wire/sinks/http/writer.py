"""One task's way to the service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from wire.clients.http import is_url, place_of
from wire.clients.http_client import Answer, HttpClient
from wire.core.clock import Clock
from wire.core.errors import FatalError, RecordError, RetryableError, WireError, root_cause
from wire.core.ports import Failure
from wire.core.records import Batch
from wire.sinks.http import HttpSinkConfig, Verdict
from wire.sinks.http.bodies import Bodies, Place, placed

_HINTS: Final = {
    401: "check `auth`",
    403: "check `auth`",
    404: "check `url`",
    405: "check `method`",
    413: "lower `max_records`",
    415: "check `format` and `body`",
}

_OF_CONTENT: Final = frozenset({400, 413, 422})
"""Answers that may be about one record of several: the others are sent without it."""

Lane = list[tuple[str, list[Place]]]
"""Requests that go one after the other: where, and with which records."""


class _DivisibleError(RecordError):
    """Records that were refused together; some of them may be taken alone."""


class HttpWriter:
    """Sends records, one write at a time; within a write, several lanes at once."""

    max_in_flight = 1

    def __init__(self, client: HttpClient, config: HttpSinkConfig, sender: Sequence[str], clock: Clock) -> None:
        """Send through `client`; `sender` are names that together no other sink has."""
        self._client = client
        self._config = config
        self._bodies = Bodies(config, sender)
        self._most = 1 if config.body == "record" else config.max_records
        self._clock = clock
        self._slots = asyncio.Semaphore(config.concurrency)

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Return once the service has taken every record that has no failure in the answer.

        A record that is to be sent again holds those back that must not overtake it: they fail with it. Raises
        FatalError for an answer that stops the pipeline.
        """
        failures: list[Failure] = []
        lanes = self._lanes(batches, failures)
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = [tasks.create_task(self._send_lane(lane)) for lane in lanes]
        except BaseExceptionGroup as group:
            raise root_cause(group) from group
        for task in sending:
            failures += task.result()
        return failures

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._client.close()

    # what goes where, and in which order

    def _lanes(self, batches: Sequence[Batch], failures: list[Failure]) -> Iterable[Lane]:
        lanes: dict[object, Lane] = {}
        for number, (place, url) in enumerate(zip(placed(batches), self._urls(batches), strict=True)):
            if error := _unfit(place, url):
                failures.append(Failure(place.batch, place.index, error))
                continue
            lane = lanes.setdefault(self._lane_of(place, number), [])
            if not lane or lane[-1][0] != url or len(lane[-1][1]) >= self._most:
                lane.append((str(url), []))
            lane[-1][1].append(place)
        return lanes.values()

    def _urls(self, batches: Sequence[Batch]) -> Iterable[object]:
        for batch in batches:
            yield from (batch.columns or {}).get("url") or [self._config.url] * len(batch.records)

    def _lane_of(self, place: Place, number: int) -> object:
        if self._config.order == "none":
            return number // self._most
        if self._config.order == "key" and place.record.key is not None:
            return place.record.key
        return (place.source, place.partition)

    # sending

    async def _send_lane(self, lane: Lane) -> list[Failure]:
        failures: list[Failure] = []
        left = deque(lane)
        while left:
            url, places = left.popleft()
            error = await self._send(url, places)
            if isinstance(error, RetryableError):
                places = [*places, *(place for _, later in left for place in later)]
                left.clear()
            elif isinstance(error, _DivisibleError) and len(places) > 1:
                half = len(places) // 2
                left.extendleft([(url, places[half:]), (url, places[:half])])
                continue
            if error is not None:
                failures += [Failure(place.batch, place.index, error) for place in places]
        return failures

    async def _send(self, url: str, places: Sequence[Place]) -> WireError | None:
        """Return why the records were not taken, None if they were. Raises FatalError."""
        async with self._slots:
            body = self._bodies.body(places)
            headers = self._bodies.headers(places, body, self._clock.now_ms())
            try:
                answer = await self._client.request(self._config.method, url, headers=headers, content=body)
            except (RetryableError, RecordError) as exc:
                return exc
        return self._judged(answer, url)

    def _judged(self, answer: Answer, url: str) -> WireError | None:
        message = f"{place_of(url)} answered {answer.summary()}"
        match self._verdict(answer):
            case "ok":
                return None
            case "retry":
                return RetryableError("sink.http.busy", message, after_s=answer.after_s(self._clock.now_ms()))
            case "dead_letter":
                kind = _DivisibleError if answer.status in _OF_CONTENT else RecordError
                return kind("sink.http.refused", message, hint=_HINTS.get(answer.status))
            case "fail":
                hint = "write the address it redirects to" if 300 <= answer.status < 400 else None
                raise FatalError("sink.http.refused", message, hint=_HINTS.get(answer.status, hint))

    def _verdict(self, answer: Answer) -> Verdict:
        statuses, status = self._config.statuses, str(answer.status)
        if given := statuses.get(status) or statuses.get(f"{status[0]}xx"):
            return given
        if answer.good:
            return "ok"
        if answer.passing:
            return "retry"
        return "fail" if 300 <= answer.status < 400 else "dead_letter"


def _unfit(place: Place, url: object) -> RecordError | None:
    if place.record.value is None:
        hint = "filter them out (`meta_…`), or send them elsewhere with `when`"
        return RecordError("sink.http.tombstone", hint=hint)
    if not isinstance(url, str) or not is_url(url):
        shown = "NULL" if url is None else "no http or https URL"
        return RecordError("sink.http.invalid_request", f"the URL computed for a record is {shown}")
    return None
