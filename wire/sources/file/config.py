"""What a `file` source is told."""

from __future__ import annotations

from typing import Annotated, Literal

from wire.clients.file_names import is_text
from wire.core.config import Config, MisfitError, doc
from wire.core.formats import Format, JsonFormat
from wire.core.permissions import LOCAL_PATTERN
from wire.core.units import Size


class FileSourceConfig(Config, frozen=True, kw_only=True):
    """Reads files row by row: to their end, or following what is appended."""

    path: Annotated[
        str,
        doc("A file, or a pattern such as `logs/**/*.jsonl`. Each file is a partition and is read in order."),
        LOCAL_PATTERN,
    ]
    format: Annotated[
        Format,
        doc(
            "How a row is encoded. A row is a line, save in `csv`, where a quoted cell may hold line breaks. The first "
            "row of a CSV file names its columns; with `columns` given, files may come without that row. Blank lines "
            "are left out in `json` and `csv` and are records in `text` and `raw`."
        ),
    ] = JsonFormat()
    compression: Annotated[
        Literal["auto", "none", "gzip", "zstd"],
        doc("`auto` looks at the first bytes of each file. zstd needs `pip install 'wire-cluster[zstd]'`."),
    ] = "auto"
    follow: Annotated[
        bool,
        doc(
            "Wait for more at the end of a file, through rotation by renaming or by copying and truncating, and for "
            "new files that the pattern matches. Names that rotation gives (`app.log.1`, `app-20240131.log`) are read "
            "as part of the file they came from, not again. A compressed file is read once."
        ),
    ] = False
    max_record: Annotated[Size, doc("A longer row stops the pipeline: nothing is cut or left out.")] = Size(16 << 20)

    def __post_init__(self) -> None:
        if not self.path or "\0" in self.path:
            raise MisfitError("`path` must name a file or a pattern", "as in flights.jsonl, or logs/**/*.jsonl")
        if not is_text(self.path):
            pattern = self.path.encode(errors="replace").decode()
            raise MisfitError("`path` is not UTF-8", f"name such a file by a pattern, `{pattern}`")
        if self.max_record.bytes < 1:
            raise MisfitError("`max_record` must be at least 1B", "leave it out for 16MiB")
