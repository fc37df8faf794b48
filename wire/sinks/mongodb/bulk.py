"""Has operations carried out by the servers, and says what became of each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, DocumentTooLarge, OperationFailure

from wire.clients.mongodb_client import Client
from wire.clients.mongodb_errors import ERRORS, Codes, reason, translate
from wire.core.errors import FatalError, RecordError, RetryableError, UnavailableError, WireError
from wire.sinks.mongodb.chains import Operation

CODES: Final = Codes(
    authentication="sink.mongodb.authentication",
    authorization="sink.mongodb.authorization",
    rejected="sink.mongodb.rejected",
    tls="sink.mongodb.tls",
    unreachable="sink.mongodb.unreachable",
)
# I2: not before a majority has it on disk does a write count; neither a new primary nor a power cut takes it back.
DURABLE: Final = WriteConcern(w="majority", j=True, wtimeout=30_000)

_TIMEOUT_S: Final = 60.0
_AT_ONCE: Final = 4  # bulks under way at the same time
_WORTH_IT: Final = 100  # operations that make one more bulk worth its round trip
_PLAIN: Final = (str, int, float, bytes)

_DUPLICATE_KEY: Final = 11000
_VALIDATION: Final = 121
_SHARD_KEY: Final = 61
_VIEW: Final = 166
_OF_ONE: Final = frozenset({2, 9, 15, 22, 10334})  # a bulk that can't be read for what is in one document of it
_TOO_LARGE: Final = frozenset({10334, 17419, 17420, 17280})

Refusals = dict[int, RecordError]
"""What was refused for good, by place."""

Write = DeleteOne | InsertOne[Any] | ReplaceOne[Any] | UpdateOne


class Bulks:
    """Carries out operations on the collections of one database.

    `replayed` counts the documents that were not added because their ids were there.
    """

    def __init__(self, client: Client, database: str) -> None:
        """Use `client`, which is connected."""
        self._database = client.get_database(database, write_concern=DURABLE)
        self._room = asyncio.Semaphore(_AT_ONCE)
        self.replayed = 0

    async def carry_out(self, operations: Iterable[Operation]) -> Refusals:
        """Return once every operation is durable or refused. No two may be on one document.

        Raises RetryableError when that can't be said of all of them, UnavailableError when the servers refuse as such.
        """
        by_collection: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in operations:
            by_collection[operation.collection].append(operation)
        parts = [(name, part) for name, all_ in by_collection.items() for part in _parts(all_)]
        if len(parts) == 1:
            return await self._bulk(*parts[0])
        return await self._together(parts)

    async def _in_turn(self, name: str, operations: Sequence[Operation]) -> Refusals:
        async with self._room:
            return await self._bulk(name, operations)

    async def _together(self, parts: Sequence[tuple[str, Sequence[Operation]]]) -> Refusals:
        # all are waited for, whatever becomes of one: what is still on its way could land behind the next attempt
        results = await asyncio.gather(*(self._in_turn(*part) for part in parts), return_exceptions=True)
        problems = [result for result in results if isinstance(result, BaseException)]
        if problems:
            raise next((problem for problem in problems if isinstance(problem, FatalError)), problems[0])
        return {place: error for result in results if isinstance(result, dict) for place, error in result.items()}

    async def _bulk(self, name: str, operations: Sequence[Operation]) -> Refusals:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._database[name].bulk_write([_write(operation) for operation in operations], ordered=False)
        except BulkWriteError as exc:
            return self._judge(exc.details or {}, operations, name)
        except DocumentTooLarge:
            return await self._isolate(name, operations, _too_large(name, "it does not fit into a message with its id"))
        except OperationFailure as exc:
            if exc.code not in _OF_ONE:
                raise translate(exc, CODES, f"writing to `{name}`") from exc
            return await self._isolate(name, operations, _refused(name, reason(exc)))
        except ERRORS as exc:
            raise translate(exc, CODES, f"writing to `{name}`") from exc
        return {}

    async def _isolate(self, name: str, operations: Sequence[Operation], error: RecordError) -> Refusals:
        """Find the operation for which a whole bulk is refused. Others of it may have been carried out before."""
        if len(operations) == 1:
            return {operations[0].place: error}
        middle = len(operations) // 2
        return await self._bulk(name, operations[:middle]) | await self._bulk(name, operations[middle:])

    def _judge(self, details: Mapping[str, Any], operations: Sequence[Operation], name: str) -> Refusals:
        refusals: Refusals = {}
        for found in details.get("writeErrors", ()):
            operation = operations[found["index"]]
            error = _verdict(found, operation, name)
            if isinstance(error, RecordError):
                refusals[operation.place] = error
            elif error is not None:
                raise error
            else:
                self.replayed += 1
        for concern in details.get("writeConcernErrors", ()):
            message = f"writing to `{name}`: not known to be on a majority of the servers ({concern.get('errmsg')})"
            hint = "check that a majority of the replica set is up"
            raise RetryableError("sink.mongodb.unreachable", message, hint=hint)
        return refusals


class _Encoded(RawBSONDocument):
    """A document that is sent as it is. The library asks whether it is empty, and would decode it to answer."""

    def __bool__(self) -> bool:
        return True


def _parts(operations: list[Operation]) -> list[list[Operation]]:
    """Split what is large enough for it to be done at once."""
    count = min(_AT_ONCE, max(1, len(operations) // _WORTH_IT))
    size = -(-len(operations) // count)
    return [operations[start : start + size] for start in range(0, len(operations), size)]


def _write(operation: Operation) -> Write:
    if operation.document is None:
        return DeleteOne(_filter(operation.id))
    document = _Encoded(operation.document)
    match operation.op:
        case "insert":
            return InsertOne(document)
        case "merge":
            # $literal: a field called `a.b` or `$a` is set under just that name, and nothing in it is computed
            merged = {"$replaceWith": {"$mergeObjects": ["$$ROOT", {"$literal": document}]}}
            return UpdateOne(_filter(operation.id), [merged], upsert=True)
        case _:
            return ReplaceOne(_filter(operation.id), document, upsert=True)


def _filter(key: Any) -> dict[str, Any]:
    """Find by id; what a document or pattern as an id says is never taken for a condition (I10)."""
    return {"_id": key if isinstance(key, _PLAIN) else {"$eq": key}}


def _verdict(found: dict[str, Any], operation: Operation, name: str) -> WireError | None:
    """Say what a write error means, None if the record is written all the same."""
    code, why = found.get("code"), str(found.get("errmsg", "")).partition(", full error:")[0][:300]
    if code == _DUPLICATE_KEY:
        return _duplicate(found, operation, name)
    if code == _VIEW:
        return UnavailableError(CODES.rejected, f"`{name}` is a view: nothing can be written to it")
    if code in _TOO_LARGE:
        return _too_large(name, why)
    hint = None
    if code == _VALIDATION:
        hint = f"it does not pass the validator of `{name}`; db.getCollectionInfos() shows it"
    elif code == _SHARD_KEY:
        hint = f"ids are how documents are found here: shard `{name}` by `_id`, plain or hashed"
    else:
        error = translate(OperationFailure(why, code, found), CODES, f"writing to `{name}`")
        if error.code != CODES.rejected:
            return error
    return _refused(name, why, hint)


def _refused(name: str, why: str, hint: str | None = None) -> RecordError:
    return RecordError("sink.mongodb.record_refused", f"`{name}` does not take this record: {why}", hint=hint)


def _too_large(name: str, why: str) -> RecordError:
    message = f"`{name}` does not take this record: {why}"
    return RecordError("sink.mongodb.record_too_large", message, hint="drop fields, or split the document")


def _duplicate(found: dict[str, Any], operation: Operation, name: str) -> WireError | None:
    fields = list(found.get("keyPattern", ()))
    if fields == ["_id"]:
        if operation.op == "insert":
            return None  # written before: by an attempt whose answer was lost, or by an earlier run
        return RetryableError("sink.mongodb.unreachable", f"writing to `{name}`: another client adds the same id")
    message = f"`{name}` has another document with the same {', '.join(fields) or 'unique fields'}"
    return RecordError("sink.mongodb.duplicate", message, hint="a unique index demands that they differ")
