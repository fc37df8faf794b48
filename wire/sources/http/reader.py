"""Page after page."""

from __future__ import annotations

import msgspec

from wire.clients.http import place_of
from wire.clients.http_client import Answer, HttpClient
from wire.core.clock import Clock
from wire.core.errors import FatalError, RecordError, RetryableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Lag, ReadLimit
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sources.http import HttpSourceConfig, PagePaging
from wire.sources.http.pages import records_of, value_at
from wire.sources.http.paging import pager
from wire.sources.http.position import HttpPosition


class Page(msgspec.Struct, frozen=True):
    """One page: its records, the name of the next page, None at the end, and when it was read."""

    records: list[bytes]
    next: str | None
    at_ms: int


class HttpReader:
    """A `Reader` of a list of records. One page is in memory."""

    def __init__(
        self,
        client: HttpClient,
        config: HttpSourceConfig,
        partition: PartitionId,
        position: HttpPosition,
        context: ComponentContext,
    ) -> None:
        """Go on at `position`."""
        self._client = client
        self._config = config
        self._partition = partition
        self._at = position
        self._bounded = context.bounded
        self._clock: Clock = context.clock
        self._url_of, self._next_of = pager(config.paging, config.url)
        self._records = config.records.split(".") if config.records else []
        self._key = config.key.split(".") if config.key else None
        self._numbered = isinstance(config.paging, PagePaging)
        self._before = position
        self._page: Page | None = None
        self._seen = (position.page, b"")
        self._ended = False
        self._next_request_s = 0.0

    async def read(self, limit: ReadLimit) -> Batch | None:  # noqa: D102 (contract in Reader)
        while not self._ended:
            if self._page is None:
                self._page = await self._fetch(self._at)
            page, at = self._page, self._at
            if at.taken < len(page.records):
                return self._batch(page, limit)
            if page.next is not None:
                if not page.records and not self._bounded:
                    await self._clock.sleep(self._config.poll.s)  # whoever has nothing is not asked on at once
                self._before, self._at, self._page = at, HttpPosition(page.next, 0, at.offset), None
            elif (over := self._over(at)) is not None:
                return over
            elif self._bounded:
                self._ended = True
            else:
                await self._clock.sleep(self._config.poll.s)
                if not page.records and self._numbered:
                    self._at = self._before  # the next page isn't there yet: records may come to the one before it
                self._page = None
        return None

    def _over(self, at: HttpPosition) -> Batch | None:
        """Where the list is read again, return a batch without records that says so, once for each time it ends."""
        start = HttpPosition(offset=at.offset)
        if self._config.each_poll == "continue" or at == start:
            return None
        self._before = self._at = start
        self._page = Page([], None, 0)  # nothing, so that it is waited before it is read again
        return Batch(self._partition, start.encode(), [])

    def _batch(self, page: Page, limit: ReadLimit) -> Batch:
        at = self._at
        values: list[bytes] = []
        room = limit.max_bytes
        for value in page.records[at.taken : at.taken + limit.max_records]:
            room -= len(value)
            if values and room < 0:
                break
            values.append(value)
        records = [Record(value, self._key_of(value), page.at_ms, (), at.offset + i) for i, value in enumerate(values)]
        self._at = HttpPosition(at.page, at.taken + len(values), at.offset + len(values))
        return Batch(self._partition, self._at.encode(), records)

    def _key_of(self, value: bytes) -> bytes | None:
        found = None if self._key is None else value_at(value, self._key)
        if found is None:
            return None
        return found.encode() if isinstance(found, str) else msgspec.json.encode(found)

    # asking

    async def _fetch(self, at: HttpPosition) -> Page:
        await self._wait_for_turn()
        url = self._url_of(at.page)
        try:
            answer = await self._client.request("GET", url, headers={"accept": "application/json"})
        except RecordError as exc:
            raise FatalError(exc.code, exc.message, hint=exc.hint) from exc
        self._check(answer, url, at)
        records = records_of(answer.body, self._records)
        if len(records) < at.taken and self._config.each_poll == "continue":
            message = f"the page where reading stopped had {at.taken} records or more and has {len(records)}"
            hint = "begin anew with --reset, or read the whole list each time with `each_poll: again`"
            raise FatalError("source.http.position_lost", message, hint=hint)
        if records and at.page != self._seen[0] and answer.body == self._seen[1]:
            message = f"{place_of(url)} gives the same page again and again"
            raise FatalError("source.http.invalid_answer", message, hint="check `paging`: the server may know no such")
        self._seen = (at.page, answer.body)
        following = self._next_of(at.page, answer, len(records))
        return Page(records, None if following == at.page else following, self._clock.now_ms())

    async def _wait_for_turn(self) -> None:
        if self._config.rate is None:
            return
        wait_s = self._next_request_s - self._clock.monotonic()
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        self._next_request_s = self._clock.monotonic() + 1 / self._config.rate

    def _check(self, answer: Answer, url: str, at: HttpPosition) -> None:
        message = f"{place_of(url)} answered {answer.summary()}"
        if answer.passing:
            raise RetryableError("source.http.busy", message, after_s=answer.after_s(self._clock.now_ms()))
        if not answer.good:
            hint = "check `auth`" if answer.status in (401, 403) else "check `url`"
            if at.page and answer.status not in (401, 403):
                hint = "if the cursor has expired, begin anew with --reset"
            raise FatalError("source.http.refused", message, hint=hint)
        if answer.cut:
            message = f"an answer of {place_of(url)} is larger than {self._config.max_page}"
            raise FatalError("source.http.page_too_large", message, hint="ask for smaller pages, or raise `max_page`")

    # the rest of a reader

    async def release(self, upto: Position) -> None:
        """Do nothing: a service keeps its records."""

    def lag(self) -> Lag:
        """Return nothing: only the service knows."""
        return Lag()

    async def close(self) -> None:
        """Read nothing any more."""
        self._ended = True
