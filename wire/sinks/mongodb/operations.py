"""From records to operations: which document, what is to become of it, in BSON."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Hashable, Sequence
from typing import Any, Final

import bson
import msgspec
from bson import Decimal128, ObjectId
from bson.errors import BSONError

from wire.clients.mongodb_json import id_of
from wire.core.errors import RecordError
from wire.core.records import Batch, Record
from wire.sinks.mongodb import MongoSinkConfig
from wire.sinks.mongodb.chains import OPS, Chain, Op, Operation, Subject
from wire.sinks.mongodb.extended_json import revived

_MAX_NAME: Final = 255
_HOW_TO_NAME: Final = (
    "collections are named by text without `$` and NUL that is not empty and does not begin with system."
)
_NO_BSON: Final = (BSONError, ArithmeticError, ValueError, TypeError, RecursionError)
_NUMBERS: Final = (int, float, decimal.Decimal)

Misfits = list[tuple[int, RecordError]]
"""Records that can't be written, by place, and why."""

_decode = msgspec.json.Decoder().decode


class Planner:
    """Makes operations of records. Remembers which collections were written to, and no more than it may (I8)."""

    def __init__(self, config: MongoSinkConfig, max_document: int) -> None:
        """Plan as `config` says, for servers that take documents up to `max_document` bytes."""
        self._collection = config.collection if isinstance(config.collection, str) else None
        self._op: Op | None = config.op if isinstance(config.op, str) else None
        self._max_collections = config.max_collections
        self._max_document = max_document
        self._names: set[str] = set()

    def plan(self, batches: Sequence[Batch]) -> tuple[list[Chain], Misfits]:
        """Return the operations by id, in the order of their records, and the records that give none."""
        chains: dict[Subject, Chain] = {}
        misfits: Misfits = []
        base = 0
        for batch in batches:
            for i, record in enumerate(batch.records):
                try:
                    subject, operation = self._operation(base + i, record, batch, i)
                except RecordError as exc:
                    misfits.append((base + i, exc))
                    continue
                chain = chains.get(subject)
                if chain is None:
                    chain = chains[subject] = Chain()
                chain.add(operation)
            base += len(batch.records)
        return list(chains.values()), misfits

    def _operation(self, place: int, record: Record, batch: Batch, i: int) -> tuple[Subject, Operation]:
        columns = batch.columns or {}
        collection = self._collection or self._named(columns["collection"][i])
        op = self._op or _op_of(columns["op"][i])
        document = None if record.value is None else _document(record.value)
        if "id" in columns:
            key = _id_of_value(columns["id"][i])
        elif record.key is not None:
            key = _id_of_key(record.key)
        else:
            key = _id_within(document, record, batch)
        subject = collection, _same(key)
        if document is None or op == "delete":
            return subject, Operation(place, "delete", collection, key, None)
        return subject, Operation(place, op, collection, key, self._encoded(document, key))

    def _named(self, name: object) -> str:
        if name in self._names:
            return str(name)
        if not isinstance(name, str) or not 0 < len(name.encode(errors="replace")) <= _MAX_NAME or _forbidden(name):
            message = f"no collection can be called {_shown(name)}"
            raise RecordError("sink.mongodb.collection_refused", message, path="collection", hint=_HOW_TO_NAME)
        if len(self._names) >= self._max_collections:
            message = f"`{name}` would be one collection more than the {self._max_collections} this run may write to"
            hint = "check the expression, or raise `max_collections`"
            raise RecordError("sink.mongodb.too_many_collections", message, path="collection", hint=hint)
        self._names.add(name)
        return name

    def _encoded(self, document: dict[str, Any], key: Any) -> bytes:
        document.pop("_id", None)
        try:
            encoded = bson.encode({"_id": key, **document})
        except _NO_BSON as exc:
            raise _no_document(f"BSON can't hold it ({_first_line(exc)})") from exc
        if len(encoded) > self._max_document:
            message = f"the document has {len(encoded)} bytes; MongoDB takes up to {self._max_document}"
            raise RecordError("sink.mongodb.record_too_large", message, hint="drop fields, or split the document")
        return encoded


def _document(value: bytes) -> dict[str, Any]:
    try:
        document = _decode(value)
        if b'"$' in value:
            document = revived(document)
    except (ValueError, RecursionError) as exc:  # msgspec's own are ValueErrors
        raise _no_document(_first_line(exc)) from exc
    if not isinstance(document, dict):
        raise _no_document("it is no JSON object")
    return document


def _no_document(why: str) -> RecordError:
    hint = "a document is a JSON object; fields that begin with $ are Extended JSON"
    return RecordError("sink.mongodb.not_a_document", f"the value is no document: {why}", hint=hint)


def _id_of_value(value: Any) -> Any:
    """Return what an expression computed, as BSON has it."""
    match value:
        case None:
            hint = "NULL is no id: see which of its fields are missing, or use coalesce()"
            raise RecordError("sink.mongodb.no_id", "the id is NULL", path="id", hint=hint)
        case dict() | list():
            try:
                return revived(value)
            except (ValueError, RecursionError) as exc:
                raise _no_id(exc) from exc
        case datetime.datetime():
            return value
        case datetime.date():
            return datetime.datetime(value.year, value.month, value.day)
        case decimal.Decimal():
            return Decimal128(value)
        case datetime.time() | datetime.timedelta():
            return str(value)
    return value


def _id_of_key(key: bytes) -> Any:
    try:
        return id_of(key)
    except Exception as exc:  # not UTF-8, or whatever the library's parsers stumble over
        raise _no_id(exc) from exc


def _no_id(exc: BaseException) -> RecordError:
    hint = 'an id is text, a number or Extended JSON such as {"$oid": …}; `id` computes one'
    return RecordError("sink.mongodb.no_id", f"the id can't be used: {_first_line(exc)}", path="id", hint=hint)


def _id_within(document: dict[str, Any] | None, record: Record, batch: Batch) -> Any:
    """Return the id of a record without key: its document's own, or what names the record, and so repeats with it."""
    if document is None:
        hint = "give the record a key, or set `id`"
        raise RecordError("sink.mongodb.no_id", "a record without value and key says not what to delete", hint=hint)
    if "_id" in document:
        return document["_id"]
    name = f"{batch.source}/{batch.partition}/{record.offset}"
    return f"{name}/{record.ordinal}" if record.ordinal else name


def _op_of(value: object) -> Op:
    if value not in OPS:
        message = f"`op` is {_shown(value)}; expected one of {', '.join(sorted(OPS))}"
        raise RecordError("sink.mongodb.unknown_op", message, path="op", hint="have the expression give one of these")
    return value  # type: ignore[return-value]


def _same(key: Any) -> Hashable:
    """Return what is equal for ids that MongoDB takes for equal: 1 and 1.0, but not 1 and true."""
    if type(key) is ObjectId:
        return key
    try:
        encoded = bson.encode({"": key})
    except _NO_BSON as exc:
        raise _no_id(exc) from exc
    if isinstance(key, Decimal128):
        key = key.to_decimal()
    if isinstance(key, _NUMBERS) and type(key) is not bool and key == key:  # noqa: PLR0124 (nan is not itself)
        return key
    return encoded


def _forbidden(name: str) -> bool:
    return "$" in name or "\0" in name or name.startswith((".", "system.")) or name.endswith(".") or ".." in name


def _first_line(exc: BaseException) -> str:
    return (str(exc) or type(exc).__name__).partition("\n")[0][:200]


def _shown(value: object) -> str:
    return f"`{str(value)[:100]}`" if value is not None else "NULL"
