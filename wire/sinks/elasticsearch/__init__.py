"""Writes records as documents to indices of an Elasticsearch cluster.

- `sink`: connects and checks. - `writer`: sends bulk requests and learns what became of each document. - `actions`:
makes the lines of a bulk request. - `verdicts`: reads the answers. - `overtaken`: keeps a late repeat from undoing a
deletion. - `ties`: keeps changes in order that share a version.

Invariants: a write returns only when every document is durable or has a verdict (I2). Where documents carry a version,
Elasticsearch keeps the newest whatever order writes arrive in, so that repeats, and writers of older epochs, change
nothing (I4); several bulk requests are under way at once only there and where every record is a document of its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from wire.clients.elasticsearch import ElasticsearchConnection
from wire.core.config import ByRecord, Config, Expression, MisfitError, doc
from wire.core.plugins import ComponentContext, Plugin, ReadBack
from wire.core.units import Size

Operation = Literal["index", "create", "update", "delete"]
UNVERSIONED: Final = ("create", "update")
"""Operations for which Elasticsearch takes no external version."""


class IndexTemplate(Config, frozen=True, kw_only=True):
    """An index template, put in place before anything is written."""

    name: Annotated[str, doc("The template's name. One that is there by this name is replaced.")]
    body: Annotated[dict[str, Any], doc("The template as `PUT _index_template` takes it: index_patterns, template, …")]


class ElasticsearchSinkConfig(ElasticsearchConnection, frozen=True, kw_only=True):
    """Where to write, and how. A write is done when the primary shard and its replicas have it."""

    index: Annotated[
        str | ByRecord,
        doc("The index, alias or data stream to write to; what the cluster does not know it creates if it may."),
    ]
    id: Annotated[
        Expression | None,
        doc(
            "The document's id; `meta_key()` for the record's key. Without it every record is a document of its own, "
            "named after its place in the source, so that writing it again changes nothing."
        ),
    ] = None
    op: Annotated[
        Operation | ByRecord,
        doc(
            "What to do: `index` puts or replaces a document, `create` puts it unless it is there, `update` merges the "
            "record into it, `delete` removes it. A record without a value (a tombstone) always deletes."
        ),
    ] = "index"
    version: Annotated[
        Expression | None,
        doc(
            "A whole number, or a time, that rises with every change of a document: an older one never replaces a "
            "newer. Where there is an `id`, it is the record's place in its partition unless given; an id that is made "
            "from fields needs one. `create` and `update` take none."
        ),
    ] = None
    version_type: Annotated[
        Literal["external", "external_gte"],
        doc(
            "`external_gte` writes a change with the version that is there once more, which is right where changes may "
            "share one (a MongoDB transaction); `external` leaves it, and counts it as replayed."
        ),
    ] = "external_gte"
    data_stream: Annotated[
        bool,
        doc("`index` is a data stream: documents are only created, and get the event time as `@timestamp` if need be."),
    ] = False
    max_indices: Annotated[
        int,
        msgspec.Meta(ge=1, le=100_000),
        doc(
            "Of a computed `index`, how many different ones may be written to within an hour; records for more go to "
            "the dead letters. Too many shards make a cluster slow."
        ),
    ] = 100
    max_in_flight: Annotated[
        int,
        msgspec.Meta(ge=1, le=64),
        doc(
            "How many bulk requests may be under way at once. It is one where order is all there is to go by: with "
            "`update`, with an `id` and `create`, and with a computed `op`."
        ),
    ] = 4
    max_request_size: Annotated[
        Size,
        doc("The largest bulk request; at most the cluster's `http.max_content_length`. Larger documents are refused."),
    ] = Size(64 << 20)
    compression: Annotated[
        Literal["none", "gzip"], doc("Compression of requests; `gzip` saves much where the cluster is far away.")
    ] = "none"
    template: Annotated[IndexTemplate | None, doc("An index template to apply at every start.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.index, str) and not self.index:
            raise MisfitError("`index` is empty", "name an index, as in index: flights")
        if self.data_stream and self.op not in ("index", "create"):
            raise MisfitError("`op` does not go with `data_stream`", "leave it out: a data stream only takes `create`")
        if self.version is not None and (self.data_stream or self.op in UNVERSIONED):
            what = "a data stream" if self.data_stream else f"op: {self.op}"
            raise MisfitError(f"`version` does not go with {what}", "remove it: Elasticsearch takes none here")
        if self.version is not None and self.id is None:
            raise MisfitError("`version` needs an `id`", "without `id` every record is a document of its own")
        if self.id is None and self.op in ("update", "delete"):
            raise MisfitError(f"`op` {self.op} needs an `id`", "say which document is meant, as in id: meta_key()")

    @property
    def versioned(self) -> bool:
        """Whether documents carry a version of ours, where the operation takes one."""
        return self.id is not None and not self.data_stream and self.op not in UNVERSIONED

    @property
    def ordered(self) -> bool:
        """Whether the order of writes decides over what is in the index."""
        return self.id is not None and not self.data_stream and (not self.versioned or isinstance(self.op, ByRecord))


def _build(config: ElasticsearchSinkConfig, context: ComponentContext) -> Any:
    from wire.sinks.elasticsearch.sink import ElasticsearchSink

    return ElasticsearchSink(config, context)


def _read_back(config: ElasticsearchSinkConfig) -> ReadBack:
    connection = {name: getattr(config, name) for name in ElasticsearchConnection.__struct_fields__}
    return ReadBack("elasticsearch", {**connection, "index": config.index}, enveloped=True)


PLUGIN = Plugin(
    kind="sink",
    summary="Writes records as documents to indices of an Elasticsearch cluster.",
    config=ElasticsearchSinkConfig,
    build=_build,
    extra="elasticsearch",
    read_back=_read_back,
    example="""\
type: elasticsearch
config:
  url: http://localhost:9200
  index: flights
  id: meta_key()
""",
)
