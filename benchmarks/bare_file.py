"""The rival for files: `python -m benchmarks.bare_file SOURCE TARGET`. Reads blocks, writes blocks, fsyncs once."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import msgspec

from benchmarks import jobs

_BLOCK = 1 << 20


def copy(source: Path, target: Path) -> None:
    """Copy the records the filter keeps, as the select has them."""
    decode = msgspec.json.Decoder(jobs.FlightIn).decode
    encode = msgspec.json.Encoder().encode_lines
    convert = jobs.convert
    with source.open("rb") as lines, target.open("wb") as out:
        while block := lines.readlines(_BLOCK):
            flights = map(decode, block)
            out.write(encode([convert(flight) for flight in flights if flight.dep_delay > 0]))
        out.flush()
        os.fsync(out.fileno())


if __name__ == "__main__":
    gc.freeze()
    copy(Path(sys.argv[1]), Path(sys.argv[2]))
