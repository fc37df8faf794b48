"""How the bytes of a record's value are encoded. Only the declarations; `wire.pipelines.codecs` does the work."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import field

from wire.core.config import Config, doc

ColumnType = Literal["boolean", "bigint", "double", "varchar", "date", "timestamp"]


class JsonFormat(Config, frozen=True, tag="json", tag_field="type"):
    """JSON objects, one per record."""


class CsvFormat(Config, frozen=True, tag="csv", tag_field="type"):
    """Comma-separated values, one row per record."""

    columns: Annotated[
        list[str] | None, doc("Column names in order; a file source takes them from the header line.")
    ] = None
    types: Annotated[dict[str, ColumnType], doc("Type by column; a column not named here is text.")] = field(
        default_factory=dict
    )
    nulls: Annotated[list[str], doc("Cells that mean NULL.")] = field(default_factory=lambda: [""])
    delimiter: Annotated[str, doc("The character between cells.")] = ","


class TextFormat(Config, frozen=True, tag="text", tag_field="type"):
    """UTF-8 text, seen by expressions as one field named `value`."""


class RawFormat(Config, frozen=True, tag="raw", tag_field="type"):
    """Bytes that are never decoded; expressions see only the record's metadata."""


Format = JsonFormat | CsvFormat | TextFormat | RawFormat
