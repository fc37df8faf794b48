"""What goes wrong with this source beyond what any client of MongoDB meets."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.errors import DocumentTooLarge, OperationFailure

from wire.clients.mongodb_errors import SOURCE, reason, translate
from wire.core.config import suggest
from wire.core.errors import FatalError, UnavailableError, WireError

_LOST = frozenset({260, 280, 286})  # InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost
_TOO_LARGE = frozenset({10334, 17419, 17420})
_NOT_REPLICATED = frozenset({40573})


class HistoryLostError(FatalError):
    """The servers no longer have the changes at the position. What follows is up to `on_history_lost`."""


def explain(exc: BaseException, doing: str) -> WireError:
    """Say what an error of the client library means to who reads a change stream or a snapshot."""
    code = exc.code if isinstance(exc, OperationFailure) else None
    if code in _LOST:
        return history_lost(f"{doing}: {reason(exc)}")
    if code in _NOT_REPLICATED:
        return not_replicated()
    if code in _TOO_LARGE or isinstance(exc, DocumentTooLarge):
        hint = (
            "leave fields out with `pipeline: [{$unset: …}]`, or use MongoDB 6.0.9 or newer, which splits such events"
        )
        message = f"{doing}: a change event is larger than the 16 MiB a server can send"
        return FatalError("source.mongodb.too_large", message, hint=hint)
    problem = translate(exc, SOURCE, doing)
    if problem.code == SOURCE.authorization:
        problem.hint = (
            "grant the user the role `read` on the database, or `readAnyDatabase` where all databases are read: "
            "change streams need the actions `find` and `changeStream`"
        )
    return problem


def history_lost(message: str) -> HistoryLostError:
    """Describe a position in the change stream that the servers no longer know."""
    hint = (
        "choose `on_history_lost: resnapshot` to read all documents again, or `reset` to go on without what is lost; "
        "a larger oplog keeps more history"
    )
    return HistoryLostError("source.mongodb.history_lost", message, hint=hint)


def history_lost_again(times: int) -> FatalError:
    """Describe a history that is always lost before a change has been read: starting over again can't help."""
    return FatalError(
        "source.mongodb.history_lost",
        f"the history was lost {times} times in a row before one change was read",
        hint="the oplog is too small for the time that a snapshot takes: enlarge it (replSetResizeOplog)",
    )


def not_replicated() -> UnavailableError:
    """Describe a server without an oplog."""
    return UnavailableError(
        "source.mongodb.no_change_streams",
        "the server is not part of a replica set, and only those have change streams",
        hint="start mongod with --replSet NAME and run rs.initiate() once; one member is enough",
    )


def missing(names: Sequence[str], database: str, found: Sequence[str]) -> UnavailableError:
    """Describe collections that are not there, with what was probably meant."""
    known = [name.partition(".")[2] for name in found]
    hint = suggest(names[0], known) or "create it, or check its name, the database's, and the user's right to see it"
    listed = ", ".join(f"`{name}`" for name in names)
    message = f"there is no collection {listed} in the database `{database}`"
    return UnavailableError("source.mongodb.missing_collection", message, hint=hint)


def gone(what: str, happened: str) -> FatalError:
    """Describe a collection or database that was dropped or renamed."""
    hint = "`on_drop: continue` goes on with what comes under the name; what it held stays at the sink"
    return FatalError("source.mongodb.collection_gone", f"{what} was {happened}", hint=hint)
