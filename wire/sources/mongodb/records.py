"""From documents and change events to records: the source's only work per record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from bson import DatetimeMS, ObjectId
from msgspec import Raw

from wire.clients.mongodb_json import encoder, key_of
from wire.core.errors import FatalError
from wire.core.records import Headers, Record
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.watched import offset_of

SNAPSHOT = "snapshot"


class Shape:
    """What records are made of: the document or the whole event, in one flavour of Extended JSON."""

    def __init__(self, config: MongoSourceConfig) -> None:
        """Make records as `config` says."""
        self._encode: Callable[[Any], bytes] = encoder(config.json)
        self._events = config.value == "event"
        self._shaped = bool(config.pipeline)

    def snapshot(self, documents: list[dict[str, Any]], namespace: str, offset: int) -> list[Record]:
        """Return the records of documents, or of insert events where there is a pipeline. The documents are used up."""
        headers = _headers(SNAPSHOT, namespace)
        ts_ms = (offset >> 32) * 1000
        if self._shaped:
            return [self._from_shaped(event, ts_ms, headers, offset) for event in documents]
        if self._events:
            database, _, name = namespace.partition(".")
            ns = {"db": database, "coll": name}
            documents = [
                {"operationType": SNAPSHOT, "ns": ns, "documentKey": {"_id": each["_id"]}, "fullDocument": each}
                for each in documents
            ]
            encode = self._encode
            return [
                Record(encode(each), key_of(each["documentKey"]["_id"]), ts_ms, headers, offset) for each in documents
            ]
        encode = self._encode
        records = []
        for document in documents:
            identity = document["_id"]
            if type(identity) is ObjectId:  # what most collections have: its label is written here, without a hook
                key = identity.binary.hex().encode()
                document["_id"] = Raw(b'{"$oid":"%b"}' % key)
            else:
                key = key_of(identity)
            records.append(Record(encode(document), key, ts_ms, headers, offset))
        return records

    def _from_shaped(self, event: dict[str, Any], ts_ms: int, headers: Headers, offset: int) -> Record:
        key = key_of(_kept(event, "documentKey")["_id"])
        if not self._events:
            return Record(self._encode(_kept(event, "fullDocument")), key, ts_ms, headers, offset)
        event.pop("_id", None)
        return Record(self._encode(event | {"operationType": SNAPSHOT}), key, ts_ms, headers, offset)

    def change(self, event: dict[str, Any]) -> Record | None:
        """Return the record of an insert, update, replace or delete.

        None for an update of a document that is not there any more: its delete comes in the stream.
        """
        operation = event["operationType"]
        ns = _kept(event, "ns")
        time = _kept(event, "clusterTime")
        wall: DatetimeMS | None = event.get("wallTime")
        headers = _headers(operation, f"{ns['db']}.{ns['coll']}")
        key = key_of(_kept(event, "documentKey")["_id"])
        value: bytes | None = None
        if self._events:
            del event["_id"]
            value = self._encode(event)
        else:
            before = event.get("fullDocumentBeforeChange")
            if before is not None:
                headers = (*headers, ("mongodb.before", self._encode(before)))
            if operation != "delete":
                document = event.get("fullDocument")
                if document is None:
                    return None
                value = self._encode(document)
        return Record(value, key, int(wall) if wall is not None else time.time * 1000, headers, offset_of(time))


@functools.lru_cache(maxsize=4096)
def _headers(operation: str, namespace: str) -> Headers:
    return (("mongodb.op", operation.encode()), ("mongodb.ns", namespace.encode()))


def _kept(event: dict[str, Any], name: str) -> Any:
    """Return a field that every change event has, unless the pipeline took it away."""
    try:
        return event[name]
    except KeyError:
        hint = "let `pipeline` keep _id, operationType, ns, documentKey, clusterTime and fullDocument"
        raise FatalError(
            "source.mongodb.event_incomplete", f"a change event came without `{name}`", hint=hint
        ) from None
