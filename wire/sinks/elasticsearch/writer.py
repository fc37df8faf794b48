"""One task's way into the cluster."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

import msgspec
import structlog

from wire.clients.elasticsearch_cluster import Answer, ElasticsearchCluster
from wire.clients.elasticsearch_errors import problem_of, translate_status
from wire.core.clock import Clock
from wire.core.config import ByRecord
from wire.core.errors import RecordError, RetryableError, WireError
from wire.core.ports import Failure
from wire.core.records import Batch
from wire.sinks.elasticsearch import ElasticsearchSinkConfig
from wire.sinks.elasticsearch.actions import Action, Actions, Misfit
from wire.sinks.elasticsearch.overtaken import Overtaken
from wire.sinks.elasticsearch.ties import Ties
from wire.sinks.elasticsearch.verdicts import FILTER, Item, outcome, read

log = structlog.get_logger()

_DOING: Final = "writing to Elasticsearch"
_GZIP_LEVEL: Final = 1
_IN_PLACE: Final = 1 << 14  # compressing this much is faster than handing it to a thread


class ElasticsearchWriter:
    """Writes documents in bulk requests, several at once where order does not matter.

    `counts` says how many documents were `replayed` (they were there already, in this version) and how many
    `superseded` (a newer version was there); both count as written.
    """

    def __init__(
        self, cluster: ElasticsearchCluster, config: ElasticsearchSinkConfig, clock: Clock, generation: int
    ) -> None:
        """Write through `cluster`; `generation` rises whenever the source is read from its beginning again."""
        self.max_in_flight = 1 if config.ordered else config.max_in_flight
        self.counts = {"replayed": 0, "superseded": 0}
        self._cluster = cluster
        self._actions = Actions(config, clock, generation)
        self._overtaken = Overtaken()
        self._ties = Ties()
        self._ordered = config.ordered
        self._repeating = config.versioned and not config.ordered and config.version_type == "external_gte"
        self._max_bytes = config.max_request_size.bytes
        self._compressed = config.compression == "gzip"
        self._target = _target(config, cluster.version)
        self._closed = False

    async def write(self, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Return once every document is on its primary shard and the replicas, or has a failure in the answer.

        Raises RetryableError when the cluster does not answer; what was already sent may then be there.
        """
        body = self._actions.plain(batches)
        if body and len(body) <= self._max_bytes:
            return await self._write_plain(body, batches)
        actions, verdicts = self._actions.of(batches)
        number, timely = self._overtaken.begin(actions)
        self.counts["superseded"] += len(actions) - len(timely)
        try:
            verdicts += await (self._send_in_turn(timely) if self._repeating else self._send_all(timely))
        except BaseException:
            self._overtaken.failed(timely)
            raise
        finally:
            self._overtaken.end(number)
        return _failures(verdicts, batches) if verdicts else ()

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        if not self._closed and any(self.counts.values()):
            log.info("elasticsearch_conflicts", **self.counts)
        self._closed = True
        await self._cluster.close()

    async def _write_plain(self, body: bytes, batches: Sequence[Batch]) -> Sequence[Failure]:
        """Send what needs no order; only when something is not written does it matter what there was."""
        answer = await self._post(body)
        if answer.ok and _read(answer.body) is None:
            return ()
        actions, _ = self._actions.of(batches)
        return _failures(await self._heed(answer, actions), batches)

    async def _send_in_turn(self, actions: Sequence[Action]) -> list[Misfit]:
        """Send what has no change of its own version before it, in an earlier write that is under way or has failed."""
        async with self._ties.turn(actions) as turn:
            free, behind = turn.divide(actions)
            self._overtaken.failed(behind)
            verdicts = await self._send_all(free)
            return [*verdicts, *turn.judge(actions, verdicts)]

    async def _send_all(self, actions: Sequence[Action]) -> list[Misfit]:
        """Send as many requests as it takes; once the cluster is in trouble the rest is left for later."""
        verdicts: list[Misfit] = []
        trouble: RetryableError | None = None
        for part in _parts(actions, self._max_bytes):
            if trouble is None:
                try:
                    verdicts += await self._send(part)
                    continue
                except RetryableError as exc:
                    if len(part) == len(actions):
                        raise
                    trouble = exc
            self._overtaken.failed(part)
            verdicts += [(action.place, trouble) for action in part]
        return verdicts

    async def _send(self, actions: Sequence[Action]) -> list[Misfit]:
        """Send one request, whatever becomes of it."""
        if len(actions) == 1 and len(actions[0].lines) > self._max_bytes:
            return [(actions[0].place, _too_large(len(actions[0].lines), "`max_request_size`"))]
        return await self._heed(await self._post(b"".join([action.lines for action in actions])), actions)

    async def _post(self, body: bytes) -> Answer:
        encoding = None
        if self._compressed:
            body, encoding = await _gzipped(body), "gzip"
        return await self._cluster.request("POST", self._target, body, doing=_DOING, lines=True, encoding=encoding)

    async def _heed(self, answer: Answer, actions: Sequence[Action]) -> list[Misfit]:
        """Judge each action. A request refused as a whole is cut in two, until the bad document stands alone."""
        if answer.ok:
            return self._judge(actions, _read(answer.body))
        if answer.status not in (400, 413):
            raise translate_status(answer.status, problem_of(answer.body), self._cluster.codes, _DOING)
        if len(actions) > 1:
            middle = len(actions) // 2
            return [*await self._send(actions[:middle]), *await self._send(actions[middle:])]
        if answer.status == 413:
            return [(actions[0].place, _too_large(len(actions[0].lines), "the cluster's `http.max_content_length`"))]
        error = RecordError("sink.elasticsearch.refused", problem_of(answer.body).text())
        return [(actions[0].place, error)]

    def _judge(self, actions: Sequence[Action], items: Sequence[Item] | None) -> list[Misfit]:
        if items is None:
            self._overtaken.done(actions)
            return []
        if len(items) != len(actions):
            raise RetryableError("sink.elasticsearch.rejected", f"{_DOING}: the answer is incomplete")
        done: list[Action] = []
        again: list[tuple[Action, RetryableError]] = []
        verdicts: list[Misfit] = []
        for action, item in zip(actions, items, strict=True):
            match outcome(action, item):
                case RetryableError() as error:
                    again.append((action, error))
                case WireError() as error:
                    verdicts.append((action.place, error))
                    self._overtaken.refused(action)
                case found:
                    if found != "written":
                        self.counts[found] += 1
                    done.append(action)
        self._overtaken.done(done)
        return [*verdicts, *(self._in_order(done, again) if again else ())]

    def _in_order(self, done: Sequence[Action], again: Sequence[tuple[Action, RetryableError]]) -> Iterator[Misfit]:
        """Say what is to be repeated: what failed for now, and where order is all there is, what came after it too."""
        first: dict[tuple[str | None, str], Misfit] = {}
        for action, error in again:
            if self._overtaken.is_late(action):
                self.counts["superseded"] += 1
                continue
            first.setdefault((action.index, action.id), (action.place, error))
            self._overtaken.failed([action])
            yield action.place, error
        for action in done if self._ordered else ():
            before = first.get((action.index, action.id))
            if before is not None and before[0] < action.place:
                yield action.place, before[1]


def _target(config: ElasticsearchSinkConfig, version: tuple[int, int] | None) -> str:
    """Return the path and query of all requests: a literal index need not be in every line."""
    index = "" if isinstance(config.index, ByRecord) else "/" + quote(config.index, safe="")
    patience_s = max(1, int(config.timeout.s / 2))
    query = f"filter_path={FILTER}&timeout={patience_s}s"
    if config.data_stream and version is not None and version >= (8, 13):
        query += "&require_data_stream=true"  # else a missing template makes a plain index
    return f"{index}/_bulk?{query}"


def _parts(actions: Sequence[Action], max_bytes: int) -> Iterator[Sequence[Action]]:
    """Cut a write into requests of at most so many bytes; a document larger than that is alone."""
    start = size = 0
    for at, action in enumerate(actions):
        size += len(action.lines)
        if size > max_bytes and at > start:
            yield actions[start:at]
            start, size = at, len(action.lines)
    if actions:
        yield actions[start:]


def _read(body: bytes) -> list[Item] | None:
    try:
        return read(body)
    except msgspec.MsgspecError as exc:
        raise RetryableError("sink.elasticsearch.rejected", f"{_DOING}: the answer can't be read") from exc


async def _gzipped(body: bytes) -> bytes:
    if len(body) <= _IN_PLACE:
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL, mtime=0)


def _too_large(size: int, limit: str) -> RecordError:
    return RecordError("sink.elasticsearch.record_too_large", f"the document has {size} bytes, more than {limit}")


def _failures(verdicts: list[Misfit], batches: Sequence[Batch]) -> list[Failure]:
    """Turn places in the write into indices of batches and records."""
    starts = list(itertools.accumulate((len(batch.records) for batch in batches), initial=0))[:-1]
    found = []
    for place, error in sorted(verdicts, key=lambda verdict: verdict[0]):
        batch = bisect_right(starts, place) - 1
        found.append(Failure(batch, place - starts[batch], error))
    return found
