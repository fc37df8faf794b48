"""From records to the lines of a bulk request. Documents are taken as the bytes they are."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from wire.core.clock import Clock
from wire.core.config import ByRecord
from wire.core.errors import RecordError, WireError
from wire.core.records import Batch, Record
from wire.sinks.elasticsearch import ElasticsearchSinkConfig

_MAX_ID: Final = 512  # bytes; the limit is Elasticsearch's, and one id that is longer fails a whole request
_MAX_VERSION: Final = 2**63 - 1
_GENERATION_SHIFT: Final = 48
_HOUR_S: Final = 3600.0
_OPERATIONS: Final = ("index", "create", "update", "delete")
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)

_encode = msgspec.json.Encoder().encode


class Action(msgspec.Struct, gc=False):
    """What is to be done to one document: its lines of the bulk request, and what is needed to judge the answer.

    `place` counts the records of the write. `version` is None where the operation takes none.
    """

    place: int
    lines: bytes
    op: str
    id: str
    index: str | None = None
    version: int | None = None


Misfit = tuple[int, WireError]
"""A record's place in the write, and why it can't be written."""


class _Timed(msgspec.Struct):
    at: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="@timestamp")


class Indices:
    """Bounds how many different indices computed names may spread over: those not written to for an hour are free."""

    def __init__(self, most: int, clock: Clock) -> None:
        """Allow `most` at a time."""
        self._most = most
        self._clock = clock
        self._used: dict[str, float] = {}

    def admit(self, index: str) -> bool:
        """Say whether a document may go to this index."""
        now = self._clock.monotonic()
        if index not in self._used and len(self._used) >= self._most:
            self._used = {name: at for name, at in self._used.items() if now - at < _HOUR_S}
            if len(self._used) >= self._most:
                return False
        self._used[index] = now
        return True


class Actions:
    """Makes the actions of one write after the other. `generation` is that of the task's checkpoints."""

    def __init__(self, config: ElasticsearchSinkConfig, clock: Clock, generation: int) -> None:
        """Make actions as `config` says."""
        self._config = config
        self._indices = Indices(config.max_indices, clock) if isinstance(config.index, ByRecord) else None
        self._op = "create" if config.data_stream else config.op
        self._generation = generation
        self._version_type = f'"version_type":"{config.version_type}"'.encode()
        by_place = config.id is None and isinstance(config.index, str) and not config.data_stream
        self._plain_op = self._op if by_place and isinstance(self._op, str) else None

    def plain(self, batches: Sequence[Batch]) -> bytes | None:
        """Return the lines of a write whose records go as they are, under the names of their places.

        None if a single one needs a closer look. This is a third of the price of an action for each, for which nobody
        asks while everything is written.
        """
        if self._plain_op is None:
            return None
        lines: list[bytes] = []
        for batch in batches:
            try:
                start = b'{"%b":{"_id":%b' % (self._plain_op.encode(), _encode(_origin(batch))[:-1])
                template = start.replace(b"%", b"%%") + b'/%d"}}\n%b\n'
                lines += [
                    template % (record.offset, record.value)
                    for record in batch.records
                    if record.value[:1] == b"{" and not record.ordinal  # type: ignore[index]
                ]
            except (TypeError, UnicodeEncodeError):  # there is no value; the file's name is not UTF-8
                return None
        body = b"".join(lines)
        whole = len(lines) == sum([len(batch.records) for batch in batches])
        return body if whole and body.count(b"\n") == 2 * len(lines) else None

    def of(self, batches: Sequence[Batch]) -> tuple[list[Action], list[Misfit]]:
        """Return the actions for the records of a write, in order, and those that can't be written."""
        actions: list[Action] = []
        misfits: list[Misfit] = []
        first = 0
        for batch in batches:
            self._each(batch, first, actions, misfits)
            first += len(batch.records)
        return actions, misfits

    def _each(self, batch: Batch, first: int, actions: list[Action], misfits: list[Misfit]) -> None:
        for record, place, name, id_, op, version in zip(
            batch.records,
            itertools.count(first),
            self._names(batch),
            self._ids(batch),
            self._ops(batch),
            self._versions(batch),
            strict=False,  # places go on for ever
        ):
            try:
                actions.append(self._action(record, place, name, id_, op, version))
            except RecordError as exc:
                misfits.append((place, exc))

    # one value per record, in the order of the batch

    def _names(self, batch: Batch) -> Iterable[Any]:
        return itertools.repeat(None) if self._indices is None else _column(batch, "index")

    def _ids(self, batch: Batch) -> Iterable[Any]:
        if self._config.id is not None:
            return map(_text, _column(batch, "id"))
        origin = _origin(batch)
        return [
            f"{origin}/{record.offset}/{record.ordinal}" if record.ordinal else f"{origin}/{record.offset}"
            for record in batch.records
        ]

    def _ops(self, batch: Batch) -> Iterable[Any]:
        return _column(batch, "op") if isinstance(self._op, ByRecord) else itertools.repeat(self._op)

    def _versions(self, batch: Batch) -> Iterable[int | None]:
        if not self._config.versioned:
            return itertools.repeat(None)
        if self._config.version is not None:
            return map(_whole_number, _column(batch, "version"))
        return [self._place_version(record) for record in batch.records]

    def _place_version(self, record: Record) -> int:
        """Return a version that rises with a partition's records, and with every time it is begun anew.

        A coordinate that needs more bits is a clock (MongoDB's cluster time), which goes on when one begins anew.
        """
        if self._generation and record.offset >> _GENERATION_SHIFT == 0:
            return self._generation << _GENERATION_SHIFT | record.offset
        return record.offset

    # one record

    def _action(self, record: Record, place: int, name: Any, id_: str | None, op: Any, version: int | None) -> Action:
        if record.value is None:
            op = self._deletion(op)
        if op not in _OPERATIONS:
            raise _misfit("sink.elasticsearch.invalid_operation", f"the operation is {_shown(op)}", _OP_HINT)
        if id_ is None or not id_:
            message = "the record has no id: the expression `id` gives NULL or nothing"
            raise _misfit("sink.elasticsearch.no_id", message, _NO_ID_HINT)
        if len(id_) * 3 > _MAX_ID and len(id_.encode(errors="replace")) > _MAX_ID:
            raise _misfit("sink.elasticsearch.no_id", f"the id is longer than {_MAX_ID} bytes: {id_[:60]}…")
        if op in ("create", "update"):
            version = None
        elif self._config.versioned and (version is None or not 0 <= version <= _MAX_VERSION):
            said = "NULL, or neither a number nor a time" if version is None else _shown(version)
            message = f"the version is {said}"
            raise _misfit("sink.elasticsearch.invalid_version", message, "a whole number of 0 or more, or a time")
        index = None if self._indices is None else self._admitted(name)
        head = self._head(op, id_, index, version)
        return Action(place, head if op == "delete" else head + self._source(op, record), op, id_, index, version)

    def _deletion(self, op: Any) -> str:
        if self._config.id is None or op == "create":
            message = "a record without a value deletes a document, and this sink can't tell which"
            if op == "create":
                message = "a record without a value deletes a document, and this sink only creates"
            raise _misfit("sink.elasticsearch.tombstone", message, "set `id`, as in id: meta_key(), or filter it out")
        return "delete"

    def _admitted(self, name: Any) -> str:
        if not isinstance(name, str) or not name:
            raise _misfit("sink.elasticsearch.invalid_index", f"the index is {_shown(name)}, expected a name")
        if self._indices is not None and not self._indices.admit(name):
            message = f"the index `{name[:100]}` is one more than the {self._config.max_indices} of `max_indices`"
            raise _misfit("sink.elasticsearch.too_many_indices", message, "compute fewer, or raise `max_indices`")
        return name

    def _head(self, op: str, id_: str, index: str | None, version: int | None) -> bytes:
        try:
            fields = b'"_id":' + _encode(id_)
            if index is not None:
                fields += b',"_index":' + _encode(index)
        except UnicodeEncodeError as exc:  # half a surrogate pair, which only a callable can make
            raise _misfit("sink.elasticsearch.no_id", "the id or the index is not text that can be encoded") from exc
        if version is not None:
            fields += b',"version":%d,%b' % (version, self._version_type)
        if op == "update":
            fields += b',"retry_on_conflict":3'
        return b'{"%b":{%b}}\n' % (op.encode(), fields)

    def _source(self, op: str, record: Record) -> bytes:
        value = record.value or b""
        if b"\n" in value:
            value = value.replace(b"\n", b" ")  # in JSON it can only be space between tokens; here it ends a line
        if value[:1] != b"{" and value.lstrip()[:1] != b"{":  # to Elasticsearch that is a fault of its own (500)
            raise _misfit("sink.elasticsearch.refused", "the record's value is not a JSON object")
        if op == "update":
            return b'{"doc":%b,"doc_as_upsert":true}\n' % value
        if self._config.data_stream:
            value = _with_timestamp(value, record.ts_ms)
        return value + b"\n"


def _with_timestamp(value: bytes, ts_ms: int) -> bytes:
    """Return a document that has an `@timestamp`, as data streams demand."""
    if b'"@timestamp"' in value:
        try:
            if msgspec.json.decode(value, type=_Timed).at:
                return value
        except msgspec.MsgspecError:
            return value  # no JSON object: Elasticsearch says what is wrong with it
    rest = value.lstrip()[1:].lstrip()
    return b'{"@timestamp":%d%b%b' % (ts_ms, b"" if rest[:1] == b"}" else b",", rest)


def _origin(batch: Batch) -> str:
    """Return what the names of all places in a partition begin with."""
    origin = f"{batch.source}/{batch.partition}"
    if len(origin.encode(errors="surrogatepass")) > _MAX_ID - 64:  # the path of a file may be longer
        return hashlib.sha256(origin.encode(errors="surrogatepass")).hexdigest()
    return origin


def _column(batch: Batch, name: str) -> Sequence[Any]:
    return (batch.columns or {})[name] if batch.records else ()


def _text(value: Any) -> str | None:
    """Return an id expression's value as text: lists and structures as JSON."""
    if value is None or type(value) is str:
        return value
    if type(value) is bytes:
        return value.decode(errors="backslashreplace")
    if isinstance(value, bool | list | dict):
        return _encode(value).decode()
    return str(value)


def _whole_number(value: Any) -> int | None:
    """Return a version expression's value as a number, a time as milliseconds since 1970; None if it is neither."""
    if type(value) is int:
        return value
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == value // 1:
        return int(value)
    if isinstance(value, datetime.datetime):
        at = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return (at - _EPOCH) // _MILLISECOND
    return None


def _misfit(code: str, message: str, hint: str | None = None) -> RecordError:
    return RecordError(code, message, hint=hint)


def _shown(value: object) -> str:
    return f"`{str(value)[:100]}`" if value is not None else "NULL"


_NO_ID_HINT: Final = "leave `id` out if the source gives no keys, or compute it from fields that are never NULL"
_OP_HINT: Final = f"expected one of {', '.join(_OPERATIONS)}"
