"""From documents and change events to records: the source's only work per record."""

from __future__ import annotations

import functools
import hashlib
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

_PARTS = 1 << 20
"""Between two ordinals there is room for what a transform makes of one record."""


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
        named = _number(namespace.encode())
        ts_ms = (offset >> 32) * 1000
        if self._shaped:
            return [self._from_shaped(event, ts_ms, headers, offset, named) for event in documents]
        if self._events:
            database, _, name = namespace.partition(".")
            ns = {"db": database, "coll": name}
            documents = [
                {"operationType": SNAPSHOT, "ns": ns, "documentKey": {"_id": each["_id"]}, "fullDocument": each}
                for each in documents
            ]
            encode = self._encode
            keys = [key_of(each["documentKey"]["_id"]) for each in documents]
            return [
                Record(encode(each), key, ts_ms, headers, offset, (named ^ _number(key)) * _PARTS)
                for each, key in zip(documents, keys, strict=True)
            ]
        encode = self._encode
        records = []
        for document in documents:
            identity = document["_id"]
            key = _identified(document, identity)
            number = int.from_bytes(identity.binary, "big") if type(identity) is ObjectId else _number(key)
            records.append(Record(encode(document), key, ts_ms, headers, offset, (named ^ number) * _PARTS))
        return records

    def _from_shaped(self, event: dict[str, Any], ts_ms: int, headers: Headers, offset: int, named: int) -> Record:
        key = key_of(_kept(event, "documentKey")["_id"])
        ordinal = (named ^ _number(key)) * _PARTS
        if not self._events:
            return Record(self._encode(_kept(event, "fullDocument")), key, ts_ms, headers, offset, ordinal)
        event.pop("_id", None)
        return Record(self._encode(event | {"operationType": SNAPSHOT}), key, ts_ms, headers, offset, ordinal)

    def change(self, event: dict[str, Any]) -> Record | None:
        """Return the record of an insert, update, replace or delete.

        None for an update of a document that is not there any more: its delete comes in the stream.
        """
        try:
            operation, ns, time = event["operationType"], event["ns"], event["clusterTime"]
            identity, token = event["documentKey"]["_id"], event["_id"]["_data"]
        except KeyError as exc:
            raise _incomplete(exc.args[0]) from None
        wall: DatetimeMS | None = event.get("wallTime")
        headers = _headers(operation, f"{ns['db']}.{ns['coll']}")
        value: bytes | None = None
        if self._events:
            key = key_of(identity)
            del event["_id"]
            value = self._encode(event)
        else:
            document = event.get("fullDocument")
            key = _identified(document or {}, identity)
            before = event.get("fullDocumentBeforeChange")
            if before is not None:
                headers = (*headers, ("mongodb.before", self._encode(before)))
            if operation != "delete":
                if document is None:
                    return None
                value = self._encode(document)
        ts_ms = int(wall) if wall is not None else time.time * 1000
        ordinal = _number(str(token).encode()) * _PARTS  # a resume token is one event's alone
        return Record(value, key, ts_ms, headers, offset_of(time), ordinal)


def _identified(document: dict[str, Any], identity: Any) -> bytes:
    """Return the key of a document's `_id`.

    An ObjectId, which most collections have, is labelled in the document right here, without the encoder's hook.
    """
    if type(identity) is not ObjectId:
        return key_of(identity)
    key = identity.binary.hex().encode()
    if document.get("_id") == identity:
        document["_id"] = Raw(b'{"$oid":"%b"}' % key)
    return key


def _number(name: bytes) -> int:
    """Return 96 bits that stand for a name: as many as an ObjectId has, too many for two to be the same."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=12).digest(), "big")


@functools.lru_cache(maxsize=4096)
def _headers(operation: str, namespace: str) -> Headers:
    return (("mongodb.op", operation.encode()), ("mongodb.ns", namespace.encode()))


def _kept(event: dict[str, Any], name: str) -> Any:
    """Return a field that every change event has, unless the pipeline took it away."""
    try:
        return event[name]
    except KeyError:
        raise _incomplete(name) from None


def _incomplete(name: object) -> FatalError:
    hint = "let `pipeline` keep _id, operationType, ns, documentKey, clusterTime and fullDocument"
    return FatalError("source.mongodb.event_incomplete", f"a change event came without `{name}`", hint=hint)
