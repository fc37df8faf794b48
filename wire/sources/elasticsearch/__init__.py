"""Reads the documents of Elasticsearch indices, shard by shard, for re-indexing.

- `source`: connects, opens readers. - `shards`: which there are. - `reader`: one shard, page by page. - `view`: a shard
as it was at one moment. - `position`: where to resume.

Every shard numbers its changes; a document carries the number of its last one (`_seq_no`). A shard is read in the
order of these numbers, from a point in time. Thus a position means the same at any later point in time, when the first
one is long gone: whatever has a lower number was read, whatever was changed since has a higher one.

Invariants: no more than two pages of a shard are held (I8); an index that was made anew is never taken for the one a
position is of.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from wire.clients.elasticsearch import ElasticsearchConnection
from wire.core.config import MisfitError, doc
from wire.core.plugins import ComponentContext, Plugin
from wire.core.units import Duration, Size

_LEAST_KEEP_ALIVE_S: Final = 10


class ElasticsearchSourceConfig(ElasticsearchConnection, frozen=True, kw_only=True):
    """What to read. The source ends when it has read every document once.

    Each shard is read from a point in time, in the order in which its documents were last changed. Every document that
    was there when a run began is read, also where the run is interrupted: it goes on behind what it had read, and reads
    a document again only where that was changed meanwhile. What is written while it reads may or may not be part of
    it; what is deleted is not reported. A later run of the same pipeline reads what was written since.

    A record's value is the document's `_source` as it was sent in, its key the `_id`. Headers: `elasticsearch.index`,
    `elasticsearch.seq_no`, `elasticsearch.primary_term` and, where there is one, `elasticsearch.routing`. The user or
    API key needs the privileges `read` and `view_index_metadata`; with `maintenance` too, what was written in the
    second before the start is read for certain.
    """

    index: Annotated[
        str | list[str], doc("What to read: an index, an alias, a data stream, a pattern such as `logs-*`, or several.")
    ]
    query: Annotated[
        dict[str, Any] | None,
        doc("Reads only the documents that match, as in `{term: {carrier: UA}}`; Elasticsearch's query language."),
    ] = None
    page_records: Annotated[int, Meta(ge=1, le=10_000, description="The most documents to ask for at once.")] = 1000
    page_size: Annotated[
        Size, doc("About how many bytes to ask for at once; fewer documents are asked for where they are large.")
    ] = Size(4 << 20)
    keep_alive: Annotated[
        Duration,
        doc(
            "How long the cluster keeps a point in time for a pipeline that does not ask. After that a new one is "
            "opened, and reading goes on."
        ),
    ] = Duration.parse("5m")

    def __post_init__(self) -> None:
        """Check what the fields hold."""
        super().__post_init__()
        if not self.names:
            raise MisfitError("`index` names nothing", "as in index: flights")
        if self.keep_alive.s < _LEAST_KEEP_ALIVE_S:
            raise MisfitError("`keep_alive` is too short to ask for the next page in", "at least 10s, such as 5m")

    @property
    def names(self) -> list[str]:
        """What to read, one item each."""
        given = self.index.split(",") if isinstance(self.index, str) else self.index
        return [name.strip() for name in given if name.strip()]


def _build(config: ElasticsearchSourceConfig, context: ComponentContext) -> Any:
    from wire.sources.elasticsearch.source import ElasticsearchSource

    return ElasticsearchSource(config, context)


PLUGIN = Plugin(
    kind="source",
    summary="Reads the documents of Elasticsearch indices once, for re-indexing; goes on where it was interrupted.",
    config=ElasticsearchSourceConfig,
    build=_build,
    extra="elasticsearch",
    example="""\
type: elasticsearch
config:
  url: http://localhost:9200
  index: flights
  query: {term: {carrier: UA}}
""",
)
