"""Reads collections of MongoDB: what is there, then every change.

The place in the change stream is taken before the snapshot and kept with it, so that nothing falls between the two: a
change made during the snapshot may be seen in a document already and comes again in the stream, in order.

- `source`: `MongoSource` opens the reader. - `reader`: snapshot, then stream. - `snapshot` and `chunk`: ranges of
`_id`, several at once. - `stream`: the change stream, reopened where it was cut. - `position`: where to resume.
- `records`: documents and change events to records. - `watched`: which collections, and the pipelines for the server.

Invariants: what is read ahead is one server's batch per chunk (I8); a position that no longer exists is never passed
over in silence.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta

from wire.clients.mongodb import MongoConnection
from wire.core.config import MisfitError, doc
from wire.core.plugins import ComponentContext, Plugin

Operation = Literal["insert", "update", "replace", "delete"]

_STAGES = ("$match", "$project", "$addFields", "$set", "$unset", "$replaceRoot", "$replaceWith", "$redact")
_DATABASE = re.compile(r"[^/\\. \"$*<>:|?\0]{1,63}")


class MongoSourceConfig(MongoConnection, frozen=True, kw_only=True):
    """What to read and how. Without `collection` and `collections` it is all of a database, without `database` all.

    A record's key is the document's `_id`: an ObjectId as its 24 hexadecimal digits, a text as itself, anything else as
    Extended JSON. Its headers are `mongodb.op` (`snapshot`, `insert`, `update`, `replace` or `delete`) and `mongodb.ns`
    (`database.collection`). Its offset is the cluster time of the change, in the snapshot the one at its beginning: it
    never falls, and the changes of a transaction share it. A change made during the snapshot may come twice, once in
    the document and once as itself, in order: a sink that writes by key ends up right.

    The user needs the role `read` on the database, or `readAnyDatabase` to read all. The server must be part of a
    replica set or a sharded cluster.
    """

    database: Annotated[
        str | None, doc("The database to read; all of them (but `admin`, `config`, `local`) without.")
    ] = None
    collection: Annotated[str | None, doc("The collection to read.")] = None
    collections: Annotated[list[str] | None, doc("Several collections to read.")] = None
    snapshot: Annotated[
        Literal["initial", "never"],
        doc(
            "Where there is no checkpoint: `initial` reads the documents there are, then the changes; `never` reads "
            "only the changes from now on."
        ),
    ] = "initial"
    snapshot_chunk: Annotated[
        int, Meta(ge=1, le=10_000_000), doc("Documents per chunk of the snapshot, a range of `_id`.")
    ] = 20_000
    snapshot_readers: Annotated[int, Meta(ge=1, le=64), doc("Chunks that are read at the same time.")] = 4
    operations: Annotated[
        list[Operation] | None,
        doc("Reads only these kinds of change, all unless given; the snapshot comes all the same."),
    ] = None
    pipeline: Annotated[
        list[dict[str, Any]] | None,
        doc(
            "Aggregation stages for the server to run on change events, as in "
            "`[{$match: {fullDocument.status: open}}]`. In the snapshot they see each document as an insert. They must "
            "keep `_id`, `operationType`, `ns`, `documentKey` and `clusterTime`."
        ),
    ] = None
    full_document: Annotated[
        Literal["update_lookup", "when_available", "required", "default"],
        doc(
            "What an update brings: `update_lookup` the document as it is when the change is read, `when_available` "
            "and `required` the document as the update left it (the collection must keep pre- and post-images), "
            "`default` only what changed (needs `value: event`)."
        ),
    ] = "update_lookup"
    full_document_before_change: Annotated[
        Literal["off", "when_available", "required"],
        doc(
            "Brings the document from before the change too (the collection must keep pre-images): in the header "
            "`mongodb.before`, or in the event."
        ),
    ] = "off"
    value: Annotated[
        Literal["document", "event"],
        doc(
            "What a record's value is: the `document`, nothing (a tombstone) for a delete; or the whole change "
            "`event`, for a delete too."
        ),
    ] = "document"
    json: Annotated[
        Literal["relaxed", "canonical"],
        doc(
            "How BSON types that JSON lacks are written, as Extended JSON: `relaxed` keeps numbers plain, `canonical` "
            "labels every number with its type."
        ),
    ] = "relaxed"
    on_history_lost: Annotated[
        Literal["fail", "resnapshot", "reset"],
        doc(
            "When the servers no longer have the changes at the position (error 286): `fail` stops; `resnapshot` "
            "reads all documents again, but does not learn what was deleted meanwhile; `reset` goes on with the "
            "changes from now on, and those in between are lost."
        ),
    ] = "fail"
    on_drop: Annotated[
        Literal["fail", "continue"] | None,
        doc(
            "When what is read is dropped or renamed: `fail` stops, `continue` goes on with what comes under the name, "
            "with a warning. Unless given, it fails where collections are named, and continues where they are not."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Check how the fields go together."""
        super().__post_init__()
        self._check_names()
        self._check_pipeline()
        if self.operations == []:
            raise MisfitError("`operations` is empty", "leave it out to read all, or name some, as in [insert, update]")
        if self.full_document == "default" and self.value == "document":
            hint = "an update then has no document: add `value: event`, or leave out `full_document`"
            raise MisfitError("`full_document`: default needs `value: event`", hint)

    def names(self) -> list[str] | None:
        """Return the collections given by name, None for all of them."""
        return [self.collection] if self.collection is not None else self.collections

    def _check_names(self) -> None:
        if self.collection is not None and self.collections is not None:
            raise MisfitError("`collection` and `collections` can't both be given", "move the one into the list")
        if self.collections == []:
            raise MisfitError("`collections` is empty", "leave it out to read the whole database")
        if self.names() is not None and self.database is None:
            raise MisfitError("`database` is required", "say which database holds the collections")
        if self.database is not None and not _DATABASE.fullmatch(self.database):
            raise MisfitError("`database` is no name of a database", "a collection goes into `collection`")
        if self.collections is not None and len(set(self.collections)) < len(self.collections):
            raise MisfitError("`collections` names one twice", "name each once")

    def _check_pipeline(self) -> None:
        for stage in self.pipeline or ():
            if len(stage) != 1:
                raise MisfitError("`pipeline`: each stage has exactly one field", "as in [{$match: {…}}]")
            name = next(iter(stage))
            if name not in _STAGES:
                raise MisfitError(
                    f"`pipeline`: change events can't go through `{name}`", f"one of {', '.join(_STAGES)}"
                )


def _build(config: MongoSourceConfig, context: ComponentContext) -> Any:
    from wire.sources.mongodb.source import MongoSource

    return MongoSource(config, context)


PLUGIN = Plugin(
    kind="source",
    summary="Reads collections of MongoDB: what is there, then every change.",
    config=MongoSourceConfig,
    build=_build,
    extra="mongodb",
    example="""\
type: mongodb
config:
  uri: ${env:MONGODB_URI}
  database: shop
  collection: orders
""",
)
