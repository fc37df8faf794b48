"""A shard as it was at one moment: a point in time of the cluster's, opened anew when the cluster has dropped it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec

from wire.clients.elasticsearch_cluster import Answer, ElasticsearchCluster
from wire.clients.elasticsearch_errors import problem_of, translate_status
from wire.core.errors import FatalError, RetryableError, WireError
from wire.sources.elasticsearch.shards import Shard, position_lost, uuids

_CLOSE_TIMEOUT_S: Final = 3.0


class Hit(msgspec.Struct, gc=False):
    """One document: its `_source` is the very bytes of the answer, none where the index keeps none."""

    id: str = msgspec.field(name="_id")
    seq_no: int = msgspec.field(name="_seq_no")
    primary_term: int = msgspec.field(name="_primary_term", default=0)
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw())
    routing: str | None = msgspec.field(name="_routing", default=None)


class _Total(msgspec.Struct):
    value: int


class _Hits(msgspec.Struct):
    hits: list[Hit]
    total: _Total | None = None


class _Found(msgspec.Struct):
    hits: _Hits
    pit_id: str | None = None


class _Opened(msgspec.Struct):
    id: str


class View:
    """What of a shard is to be read, in the order of change numbers."""

    def __init__(self, cluster: ElasticsearchCluster, shard: Shard, keep_alive_ms: float) -> None:
        """Look at a shard through `cluster`; the cluster keeps the view for `keep_alive_ms` after each question."""
        self._cluster = cluster
        self._shard = shard
        self._keep_alive = f"{max(1, int(keep_alive_ms))}ms"
        self._doing = f"reading {shard.name}"
        self._id: str | None = None

    async def page(self, after: int, count: int) -> list[Hit]:
        """Return the next `count` documents behind the change number `after`, or what there is."""
        body = {"size": count, "search_after": [after], "track_total_hits": False, "seq_no_primary_term": True}
        return (await self._search(body)).hits.hits

    async def count(self, after: int) -> int:
        """Return how many documents there are behind a change number."""
        behind = {"range": {"_seq_no": {"gt": after}}}
        found = await self._search({"size": 0, "track_total_hits": True}, behind)
        return found.hits.total.value if found.hits.total else 0

    async def close(self) -> None:
        """Have the cluster drop the view. Best effort; it would do so by itself after a while. Idempotent."""
        view, self._id = self._id, None
        if view is None:
            return
        try:
            body = msgspec.json.encode({"id": view})
            await self._cluster.request("DELETE", "/_pit", body, doing=self._doing, timeout_s=_CLOSE_TIMEOUT_S)
        except WireError:
            return  # the cluster is away: there is nothing left to close

    async def _search(self, body: dict[str, Any], *conditions: dict[str, Any]) -> _Found:
        filters = [*conditions, *([self._shard.query] if self._shard.query else [])]
        if filters:
            body["query"] = {"bool": {"filter": filters}}
        body["sort"] = [{"_seq_no": "asc"}]
        answer = await self._ask(body)
        if answer.status == 404:  # dropped by the cluster, for its age or in a restart
            answer = await self._ask(body)
        if answer.ok:
            return self._decoded(answer.body)
        problem = problem_of(answer.body)
        if answer.status == 404:
            raise RetryableError(self._cluster.codes.unreachable, f"{self._doing}: {problem.text()}")
        raise translate_status(answer.status, problem, self._cluster.codes, self._doing)

    async def _ask(self, body: dict[str, Any]) -> Answer:
        view = {"id": await self._opened(), "keep_alive": self._keep_alive}
        # a part of the documents would be taken for all of them
        target = "/_search?allow_partial_search_results=false"
        answer = await self._cluster.request(
            "POST", target, msgspec.json.encode({**body, "pit": view}), doing=self._doing
        )
        if answer.status == 404 or answer.status >= 500:  # it may be bound to a node that is gone
            self._id = None
        return answer

    async def _opened(self) -> str:
        if self._id is None:
            shard = self._shard
            target = f"/{quote(shard.index)}/_pit?keep_alive={self._keep_alive}&preference=_shards:{shard.number}"
            opened = msgspec.json.decode(await self._cluster.ask("POST", target, doing=self._doing), type=_Opened)
            found = await uuids(self._cluster, quote(shard.index))
            if found.get(shard.index) != shard.uuid:
                raise position_lost(shard.name)
            self._id = opened.id  # not before it is known to be of the right index
        return self._id

    def _decoded(self, body: bytes) -> _Found:
        try:
            found = msgspec.json.decode(body, type=_Found)
        except msgspec.MsgspecError as exc:
            message = f"{self._doing}: the answer can't be read ({exc})"
            raise FatalError(self._cluster.codes.rejected, message) from exc
        self._id = found.pit_id or self._id
        return found
