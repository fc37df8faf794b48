"""Files as a sink, exactly once: a file's length and the source's position are committed together.

Core types: `FileSink`; `FileWriter` over `Output` (all files of one epoch) and `Segment` (one file); `Token` (what a
checkpoint knows of them).

How a record comes to be in a file:

1. `write` appends it to a file that may still be thrown away: `NAME.IDENTITY-EPOCH.tmp`.
2. `commit` flushes that, calls it `….part`, and puts its length into the token, which the engine stores with the
   checkpoints.
3. `committed`, or `close`, renames a part that has ended to its final name; the folder is flushed.

A start after a crash finds the last stored token, replaces each part it names by a copy of just the committed length
and gives that its final name. What has no part any more was published before the crash. What no token names is removed
when the next file is begun in its folder, but for parts of another lineage: other checkpoints may cover them. All steps
can be interrupted and done again.

Invariants: a final name never stands for anything but committed records, and what stands there is only ever replaced
by something that begins with it; an older epoch has no descriptor and no name in common with a newer one, and stops
when its epoch file is gone (I4); no path from a record leads out of the folder the user named (I10).
"""

from __future__ import annotations

import glob

from wire.core.formats import RawFormat
from wire.core.plugins import Plugin, ReadBack
from wire.sinks.file.config import FileSinkConfig
from wire.sinks.file.naming import finished_name
from wire.sinks.file.sink import FileSink


def _read_back(config: FileSinkConfig) -> ReadBack:
    path = str(config.path)
    if config.rotate is not None:
        before, after = finished_name(path, 0, 0).rsplit(f"{0:06d}", 1)
        path = f"{glob.escape(before)}*{glob.escape(after)}"
    else:
        path = glob.escape(path)
    return ReadBack("file", {"path": path, "format": RawFormat()}, enveloped=True)


PLUGIN = Plugin(
    kind="sink",
    summary="Writes JSON Lines, CSV and text files exactly once, compressed and rotated as you like.",
    config=FileSinkConfig,
    build=FileSink,
    one_task=True,
    read_back=_read_back,
    keeps_files=lambda config: not config.shared,
    example="""\
sink:
  type: file
  config:
    path: out/flights.jsonl.gz
    rotate: {max_size: 256MiB, max_age: 1h}
""",
)
