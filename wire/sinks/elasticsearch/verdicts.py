"""What the answer to a bulk request says about each document in it."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from wire.clients.elasticsearch_errors import BLOCK_HINT, Problem, is_block, passes
from wire.core.errors import FatalError, RecordError, RetryableError, UnavailableError, WireError
from wire.sinks.elasticsearch.actions import Action

FILTER: Final = "took,errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"

Outcome = Literal["written", "replayed", "superseded"] | WireError
"""What became of a document: it is there; it already was; a newer one was; or why it can't be there, yet or ever."""

_VERSIONS: Final = re.compile(r"current version \[(\d+)\].*provided \[(\d+)\]")
_MISSING: Final = ("index_not_found_exception", "index_closed_exception")
_METADATA: Final = re.compile(r"Field \[(\w+)\] is a metadata field")
_SHARD_LIMIT: Final = "maximum normal shards open"


class Summary(msgspec.Struct):
    """The answer as a whole; the items are only decoded where something went wrong."""

    errors: bool = True
    items: msgspec.Raw = msgspec.Raw(b"[]")


class Item(msgspec.Struct):
    """The answer about one document."""

    status: int
    error: Problem | None = None


class _Named(msgspec.Struct):
    """An item is wrapped in the name of its operation."""

    index: Item | None = None
    create: Item | None = None
    update: Item | None = None
    delete: Item | None = None


_summary = msgspec.json.Decoder(Summary)
_items = msgspec.json.Decoder(list[_Named])


def read(body: bytes) -> list[Item] | None:
    """Return the items of an answer in order, None if every document was written."""
    summary = _summary.decode(body)
    if not summary.errors:
        return None
    named = _items.decode(summary.items)
    return [one.index or one.create or one.update or one.delete or Item(500) for one in named]


def outcome(action: Action, item: Item) -> Outcome:
    """Judge one document."""
    if item.status < 300 or (item.status == 404 and item.error is None):  # deleting what is not there
        return "written"
    problem = item.error or Problem()
    if item.status == 409:
        return _conflict(action, problem)
    return _error(action, item.status, problem)


def _conflict(action: Action, problem: Problem) -> Outcome:
    if action.op == "create":
        return "replayed"
    if action.version is None:  # somebody else changed the document in between
        return RetryableError("sink.elasticsearch.busy", problem.text())
    found = _VERSIONS.search(problem.reason or "")
    return "replayed" if found is not None and found[1] == found[2] else "superseded"


def _error(action: Action, status: int, problem: Problem) -> WireError:
    text = problem.text() or f"HTTP status {status}"
    if is_block(status, problem):
        return RetryableError("sink.elasticsearch.blocked", text, hint=BLOCK_HINT)
    if problem.type in _MISSING and action.index is None:
        hint = "create or open the index, or let the cluster create it (`action.auto_create_index`)"
        return RetryableError("sink.elasticsearch.missing_index", text, hint=hint)
    if status == 401 or (status == 403 and problem.type == "security_exception"):
        hint = "give the user or the API key the privilege that the message names"
        return UnavailableError("sink.elasticsearch.authorization", text, hint=hint)
    if passes(status) or _SHARD_LIMIT in text:
        hint = "the cluster is overloaded or not whole: look at its health"
        return RetryableError("sink.elasticsearch.busy", text, hint=hint)
    if action.op != "create" and "allowed in data streams" in text:
        return FatalError("sink.elasticsearch.rejected", text, hint="set data_stream: true")
    return RecordError("sink.elasticsearch.refused", text, hint=_hint(text))


def _hint(text: str) -> str | None:
    if "total fields" in text:
        return "the index has as many fields as it may: map what varies as `flattened`, or raise the limit"
    if found := _METADATA.search(text):
        return f"add `- drop: [{found[1]}]` to the transforms; the document's id comes from `id`"
    return None
