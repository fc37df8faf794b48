"""One pass over a batch's records, under construction."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wire.pipelines.codecs import Decoded, Decoder, Names, dict_source
from wire.pipelines.plan.shapes import Everything, Only, Shape

SKIP = "filtered += 1; continue"


class _Load(NamedTuple):
    """Stands for a statement that reads a decoded field, until it is known how the record is decoded."""

    local: str
    name: str


class Loop:
    """A loop whose body is written statement by statement; how to decode is decided when all are known.

    In the body `i` is the index in the input batch, `r` the input record, `raw` its value. `timestamp_ms` is source of
    the record's event time. `tombstone` is the body for records without a value, `behind` what is done once after the
    loop. `plain` is source of values that are certainly of types JSON has.
    """

    def __init__(self, header: str, decoder: Decoder, names: Names, *, timestamp_ms: str, bytes_in: bool) -> None:
        """`header` is the `for` statement. `bytes_in` says whether `raw` is what an unchanged record consists of."""
        self.shape: Shape = Everything(self._load, names.constant)
        self.timestamp_ms = timestamp_ms
        self.tombstone: list[str] = []
        self.behind: list[str] = []
        self.plain = {"None", "True", "False"}
        self._header = header
        self._decoder = decoder
        self._names = names
        self._bytes_in = bytes_in
        self._body: list[str | _Load] = []
        self._needs_whole = False
        self._typed = decoder.typed
        self._row_is_made = False

    @property
    def unchanged(self) -> bool:
        """Whether the record still is what `raw` holds."""
        return self._bytes_in and isinstance(self.shape, Everything) and not self.shape.changes

    def statement(self, *lines: str) -> None:
        """Add statements."""
        self._body.extend(lines)

    def materialize(self) -> Mapping[str, str] | None:
        """Put the record together: return its fields and their values, or None when it is in the dict `row`.

        No field may be read after this, except those returned.
        """
        if isinstance(self.shape, Only):
            return self.shape.fields
        self._needs_whole = self._needs_whole or not self._row_is_made
        self.statement(*self.shape.changes)
        return None

    def whole(self) -> str:
        """Return source of a dict of the whole record as it is here. It is not to be changed; fields may be read on."""
        if isinstance(self.shape, Only):
            return dict_source(self.shape.fields)
        changed, typed = bool(self.shape.changes), self.typed()
        self.materialize()
        if changed:
            self._read_on(typed)
        return "row"

    def become(self, source: str) -> None:
        """Make the record the dict that `source` gives, with values of types JSON lacks only if it had such before."""
        typed = self.typed()
        self.statement(f"row = {source}")
        self._read_on(None if typed is None or typed else typed)

    def typed(self) -> Sequence[str] | None:
        """Return which fields of the record may have values of types JSON lacks; None if any may."""
        if isinstance(self.shape, Only):
            return [name for name, value in self.shape.fields.items() if self._names.may_be_typed(value)]
        return None if self._typed is None else self.shape.typed(self._typed, self._names.may_be_typed)

    def render(self) -> list[str]:
        """Return the loop's source, with what has to come before it."""
        decoded = self._decode()
        body = [f"{line.local} = {decoded.load(line.name)}" if isinstance(line, _Load) else line for line in self._body]
        return [
            *decoded.per_batch,
            self._header,
            "    try:",
            "        raw = r.value",
            "        if raw is None:",
            *indent(self.tombstone, 3),
            "            continue",
            *indent([*decoded.per_record, *body], 2),
            "    except Exception as exc:",
            "        failures.append((i, failure(exc)))",
            *self.behind,
        ]

    def _read_on(self, typed: Sequence[str] | None) -> None:
        """Take the fields from the dict `row`, as it is from here on."""
        self._row_is_made, self._bytes_in = True, False
        self._typed = None if typed is None else frozenset(typed)
        self.shape = Everything(self._load, self._names.constant)

    def _load(self, name: str) -> str:
        local = self._names.local()
        if self._typed is not None and name not in self._typed:
            self.plain.add(local)
        self._body.append(f"{local} = row.get({name!a})" if self._row_is_made else _Load(local, name))
        return local

    def _decode(self) -> Decoded:
        if self._needs_whole:
            return self._decoder.whole(self._names)
        wanted = dict.fromkeys(line.name for line in self._body if isinstance(line, _Load))
        return self._decoder.fields(list(wanted), self._names) if wanted else Decoded([], lambda _: "None")


def indent(lines: Sequence[str], levels: int) -> list[str]:
    """Return statements moved to the right by a number of blocks."""
    return [textwrap.indent(line, "    " * levels) for line in lines]
