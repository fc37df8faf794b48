"""Which shards a name, an alias, a data stream or a pattern stands for."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from wire.clients.elasticsearch_cluster import ElasticsearchCluster
from wire.core.errors import FatalError, RetryableError


class Shard(msgspec.Struct, frozen=True):
    """One shard of one index, and which of its documents are wanted: all where `query` is None."""

    index: str
    uuid: str
    number: int
    query: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The shard as partitions are named, `index/number`."""
        return f"{self.index}/{self.number}"


class _Copy(msgspec.Struct):
    index: str
    shard: int


class _Index(msgspec.Struct):
    filter: dict[str, Any] | None = None


class _Shards(msgspec.Struct):
    indices: dict[str, _Index]
    shards: list[list[_Copy]]


class _Settings(msgspec.Struct):
    settings: dict[str, str]


async def find(cluster: ElasticsearchCluster, names: list[str], query: dict[str, Any] | None) -> list[Shard]:
    """Return the shards behind some names, none if nothing is called so. An alias's own filter becomes part of `query`.

    Raises UnavailableError where a name that is no pattern stands for nothing.
    """
    doing = f"looking up {','.join(names)}"
    target = ",".join(quote(name, safe="*") for name in names)
    found = msgspec.json.decode(await cluster.ask("GET", f"/{target}/_search_shards", doing=doing), type=_Shards)
    if not found.shards:
        return []
    known = await uuids(cluster, target)
    shards = []
    for copies in found.shards:
        if not copies or copies[0].index not in known:
            raise RetryableError(cluster.codes.unreachable, f"{doing}: a shard has no copy that is up")
        index = copies[0].index
        of_alias = found.indices[index].filter if index in found.indices else None
        shards.append(Shard(index, known[index], copies[0].shard, _both(query, of_alias)))
    return sorted(shards, key=lambda shard: (shard.index, shard.number))


async def uuids(cluster: ElasticsearchCluster, target: str) -> dict[str, str]:
    """Return what tells each index from another one of the same name. `target` is quoted as in a path."""
    answer = await cluster.ask("GET", f"/{target}/_settings/index.uuid?flat_settings=true", doing="looking up indices")
    found = msgspec.json.decode(answer, type=dict[str, _Settings])
    return {name: index.settings.get("index.uuid", "") for name, index in found.items()}


def position_lost(shard: str) -> FatalError:
    """Describe an index that is not the one that was being read."""
    return FatalError(
        "source.elasticsearch.position_lost",
        f"{shard}: the index was deleted and created anew, or is in another cluster",
        hint="start over with --reset or in another --state-dir",
    )


def _both(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    return {"bool": {"filter": [one, other]}} if one and other else one or other
