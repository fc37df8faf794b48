"""Runs `wire` as an older build of it: `python older_build.py PATH-OF-WIRE ARGUMENT...`.

It is this one, but for the commands of the state machine that it understands: those of version 1. Its workers are of
this build.
"""

from __future__ import annotations

import runpy
import sys

import wire
from wire.cluster import encoding

RELEASE = "0.0.1"

if __name__ == "__main__":
    assert not any(name.startswith("wire.node") for name in sys.modules), "it has taken the newest version by now"
    vars(encoding)["NEWEST"] = 1
    vars(wire)["__version__"] = RELEASE
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
