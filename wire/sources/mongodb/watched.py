"""Which collections are read, and the aggregation pipelines that make the server read them."""

from __future__ import annotations

from typing import Any, Final

from bson import Timestamp
from pymongo.read_concern import ReadConcern

from wire.clients.mongodb_client import Client
from wire.clients.mongodb_json import CODECS, id_of
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.cursor import PiecewiseCursor
from wire.sources.mongodb.position import ChunkState

GONE: Final = frozenset({"drop", "rename", "dropDatabase"})
_OWN: Final = frozenset({"admin", "config", "local"})
_FULL_DOCUMENT: Final = {
    "update_lookup": "updateLookup",
    "when_available": "whenAvailable",
    "required": "required",
}
_BEFORE: Final = {"when_available": "whenAvailable", "required": "required"}


class Watched:
    """What a configuration selects: one collection, several, a database, or all."""

    def __init__(self, config: MongoSourceConfig) -> None:
        """Select what `config` says."""
        self._config = config
        self._names = config.names()

    @property
    def id(self) -> str:
        """How the whole of it is called: `shop.orders`, `shop.{orders,users}`, `shop.*` or `*`."""
        database = self._config.database
        if database is None:
            return "*"
        if self._names is None:
            return f"{database}.*"
        names = sorted(self._names)
        return f"{database}.{names[0]}" if len(names) == 1 else f"{database}.{{{','.join(names)}}}"

    @property
    def named(self) -> bool:
        """Whether collections are named, rather than all taken."""
        return self._names is not None

    async def collections(self, client: Client) -> list[str]:
        """Return all in the databases that are read, as `database.collection`, sorted: no views, no time series."""
        config = self._config
        databases = [config.database] if config.database is not None else await client.list_database_names()
        found = []
        for database in databases:
            if config.database is None and database in _OWN:
                continue
            cursor = await client[database].list_collections(nameOnly=True, authorizedCollections=True)
            found += [f"{database}.{entry['name']}" async for entry in cursor if _is_plain(entry)]
        return sorted(found)

    def selected(self, found: list[str]) -> list[str]:
        """Return those of the collections `found` that are selected."""
        return [name for name in found if self._names is None or name.partition(".")[2] in self._names]

    def missing(self, found: list[str]) -> list[str]:
        """Return the collections that are named but not in `found`."""
        present = {name.partition(".")[2] for name in found}
        return sorted(name for name in self._names or () if name not in present)

    def target(self, client: Client) -> Any:
        """Return what the change stream is opened on: a collection or a database of the client."""
        codec = CODECS[self._config.json]
        if self._config.database is None:
            return client.get_database("admin", codec_options=codec, read_concern=_MAJORITY)
        database = client.get_database(self._config.database, codec_options=codec, read_concern=_MAJORITY)
        return database[self._names[0]] if self._names is not None and len(self._names) == 1 else database

    def stream_pipeline(self, start: dict[str, Any], *, split: bool) -> list[dict[str, Any]]:
        """Return the pipeline of a change stream that begins at `start`, with events split that are too large."""
        config = self._config
        options = dict(start)
        if config.database is None:
            options["allChangesForCluster"] = True
        if config.full_document in _FULL_DOCUMENT:
            options["fullDocument"] = _FULL_DOCUMENT[config.full_document]
        if config.full_document_before_change in _BEFORE:
            options["fullDocumentBeforeChange"] = _BEFORE[config.full_document_before_change]
        selection = self._selection()
        stages: list[dict[str, Any]] = [{"$changeStream": options}]
        stages += [{"$match": selection}] if selection else []
        stages += config.pipeline or []
        return [*stages, {"$changeStreamSplitLargeEvent": {}}] if split else stages

    def _selection(self) -> dict[str, Any]:
        several = self._names is not None and len(self._names) > 1
        if not several and self._config.operations is None:
            return {}
        changes: dict[str, Any] = {"operationType": {"$nin": sorted(GONE)}}
        gone: dict[str, Any] = {"operationType": {"$in": sorted(GONE)}}
        if self._config.operations is not None:
            changes = {"operationType": {"$in": [*self._config.operations, "invalidate"]}}
        if several:
            ours = {"$in": list(self._names or ())}
            changes = {"$or": [{**changes, "ns.coll": ours}, {"operationType": "invalidate"}]}
            dropped = {"operationType": "dropDatabase"}
            gone = {"$or": [{**gone, "ns.coll": ours}, {**gone, "to.coll": ours}, dropped]}
        return {"$or": [changes, gone]}

    def read_chunk(self, client: Client, chunk: ChunkState, offset: int, batch: int, session: Any) -> Any:
        """Return a cursor over what is left of a chunk, in order of `_id`; that of a pipeline must be awaited.

        With a pipeline each is shaped as the insert event of the document, and those that it leaves out are missing.
        Ranges span types: a comparison by `find` would leave out the ids of all other types.
        """
        database, _, name = chunk.namespace.partition(".")
        codec = CODECS[self._config.json]
        collection = client[database].get_collection(name, codec_options=codec, read_concern=_MAJORITY)
        lower = chunk.lower if chunk.last is None else chunk.last
        if self._config.pipeline:
            stages = _insert_events(database, name, lower, chunk, offset) + self._config.pipeline
            return collection.aggregate(stages, batchSize=batch, session=session)
        cursor = PiecewiseCursor(collection, {}, batch_size=batch, session=session)
        cursor = cursor.sort("_id", 1).hint([("_id", 1)])
        if lower is not None:
            cursor = cursor.min([("_id", id_of(lower))])
        return cursor if chunk.upper is None else cursor.max([("_id", id_of(chunk.upper))])


_MAJORITY: Final = ReadConcern("majority")  # what a primary that loses an election takes back is never read


async def boundary(client: Client, namespace: str, frontier: bytes | None, count: int, session: Any) -> list[Any]:
    """Return the `_id` that comes `count` documents behind `frontier`, as a one-item list; empty if none does."""
    database, _, name = namespace.partition(".")
    collection = client[database].get_collection(name, read_concern=_MAJORITY)
    cursor = collection.find({}, {"_id": 1}, session=session).sort("_id", 1).hint([("_id", 1)])
    if frontier is not None:
        cursor = cursor.min([("_id", id_of(frontier))])
    return [document["_id"] async for document in cursor.skip(count).limit(1)]


def _insert_events(
    database: str, name: str, lower: bytes | None, chunk: ChunkState, offset: int
) -> list[dict[str, Any]]:
    bounds = []
    if lower is not None:
        bounds.append({"$gte": ["$_id", {"$literal": id_of(lower)}]})
    if chunk.upper is not None:
        bounds.append({"$lt": ["$_id", {"$literal": id_of(chunk.upper)}]})
    event = {
        "_id": "$_id",
        "operationType": "insert",
        "clusterTime": {"$literal": timestamp(offset)},
        "ns": {"db": {"$literal": database}, "coll": {"$literal": name}},
        "documentKey": {"_id": "$_id"},
        "fullDocument": "$$ROOT",
    }
    return [{"$match": {"$expr": {"$and": bounds}} if bounds else {}}, {"$sort": {"_id": 1}}, {"$replaceWith": event}]


def timestamp(offset: int) -> Timestamp:
    """Return a record's offset as the cluster time it stands for."""
    return Timestamp(offset >> 32, offset & 0xFFFFFFFF)


def offset_of(time: Timestamp) -> int:
    """Return a cluster time as one number that rises with it: seconds, then the count within the second."""
    return (time.time << 32) | time.inc


def _is_plain(entry: Any) -> bool:
    return entry.get("type", "collection") == "collection" and not entry["name"].startswith("system.")
