"""Files as a source: JSON Lines, CSV, plain lines; plain, gzip or zstd; read to the end or followed.

Core types: `FileSource` (which files there are), `FileReader` (one path as a partition), `FileStream` (one open file),
`FilePosition` (where to resume).

Invariants: a position is only used on the content it was taken from; a row is given whole or not at all; a record's
offset rises even when its file is rotated away.
"""

from __future__ import annotations

from wire.core.plugins import Plugin
from wire.sources.file.config import FileSourceConfig
from wire.sources.file.source import FileSource

PLUGIN = Plugin(
    kind="source",
    summary="Reads JSON Lines, CSV and text files, compressed or not, to their end or as they grow.",
    config=FileSourceConfig,
    build=FileSource,
    example="""\
source:
  type: file
  config:
    path: flights/*.csv.gz
    format:
      type: csv
      types: {dep_delay: bigint, distance: bigint}
      nulls: ["", NA]
""",
)
