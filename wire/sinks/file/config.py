"""What a `file` sink is told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wire.clients.file_names import is_text
from wire.core.config import ByRecord, Config, MisfitError, doc
from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.core.permissions import LOCAL_PATH
from wire.core.units import Duration, Size

_ROTATE_HINT = "as in rotate: {max_size: 100MB, max_age: 1h}"


class Rotate(Config, frozen=True, kw_only=True):
    """When a file is finished and the next one begun: after the write in which the first of these is reached."""

    max_size: Annotated[Size | None, doc("Bytes in the file, compressed if it is.")] = None
    max_records: Annotated[int | None, Meta(ge=1, description="Records in the file.")] = None
    max_age: Annotated[Duration | None, doc("Time since the file's first record, whether more come or not.")] = None

    def __post_init__(self) -> None:
        if self.max_size is None and self.max_records is None and self.max_age is None:
            raise MisfitError("`rotate` needs at least one of `max_size`, `max_records` and `max_age`", _ROTATE_HINT)


class FileSinkConfig(Config, frozen=True, kw_only=True):
    """Writes records into files, one per line. A file under its final name holds nothing but committed records.

    While it is being written a file has a temporary name beside the final one, such as
    `flights.jsonl.1a2b3c4d5e6f-7.part` (`.tmp` before the first checkpoint), which can be watched with `tail -f`. It
    gets its final name when it is finished: by `rotate`, by `max_open_files`, or when the pipeline stops. After a crash
    the next start keeps exactly what was committed. A `.part` file is never removed by a pipeline that doesn't know it:
    if the checkpoints it belonged to are gone, it is yours to keep or to remove.

    With a literal `path` and no `rotate` the output is this one file. A later run adds to it: it continues a copy, and
    the file is replaced by that when the run ends, so use `rotate` where outputs grow large. Otherwise the output is a
    set of numbered files, `flights-000001.jsonl`, `flights-000002.jsonl` and so on, none of which is touched again
    once it is finished; a number is used once, whatever becomes of the file.

    A file that something else has made is never overwritten.
    """

    path: Annotated[
        str | ByRecord,
        doc(
            "Where to write, or `{expr: …}` for a path that varies by record, always inside `directory`. A name that "
            "ends in `.gz` or `.zst` is compressed accordingly."
        ),
        LOCAL_PATH,
    ]
    directory: Annotated[str, doc("The folder that computed paths lie in. Not used with a literal `path`.")] = "."
    format: Annotated[
        Format,
        doc(
            "How records are encoded. `csv` needs `columns` and begins each file with them. A record with a line break "
            "in it can't be written as `text` or `raw`; it fails as `sink.file.newline`."
        ),
    ] = JsonFormat()
    compression: Annotated[
        Literal["auto", "none", "gzip", "zstd"],
        doc("`auto` goes by the name's ending. Every checkpoint ends a member; tools read all members as one file."),
    ] = "auto"
    rotate: Annotated[Rotate | None, doc("When to finish a file and begin the next.")] = None
    max_open_files: Annotated[
        int,
        Meta(ge=1, le=1024, description="How many computed paths are written at once; beyond that the file written "
             "least recently is finished."),
    ] = 64  # fmt: skip

    shared: Annotated[
        bool,
        doc(
            "Whether every node of a cluster finds the same files there, as on network storage. If not, the task stays "
            "on the node where it began to write, and waits for that when it is away."
        ),
    ] = False

    def __post_init__(self) -> None:
        if isinstance(self.path, str) and (not self.path or self.path.endswith("/") or "\0" in self.path):
            raise MisfitError("`path` must name a file", "as in out/flights.jsonl")
        for field, name in (("path", self.path), ("directory", self.directory)):
            if isinstance(name, str) and not is_text(name):
                raise MisfitError(f"`{field}` is not UTF-8", "give it a name that is: checkpoints hold it as text")
        if isinstance(self.format, CsvFormat) and not self.format.columns:
            hint = "as in format: {type: csv, columns: [id, name]}"
            raise MisfitError("`format`: csv needs `columns`, the names for the first row in their order", hint)
