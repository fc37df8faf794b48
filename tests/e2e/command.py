"""Runs `wire` as a user does: another process, a folder of its own, output read back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

WIRE = Path(sys.executable).with_name("wire")
DEADLINE_S = 60.0
GOOD = "name: good\nsource: {type: generate, config: {count: 3}}\nsink: {type: stdout}\n"
BAD = "name: bad\nsorce: {type: generate}\nsink: {type: stdot}\ntransforms:\n  - filter: 'a >'\n"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


async def start(
    *arguments: str | Path,
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    errors: IO[bytes] | int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """Start a command, without input, and with its output in pipes; the caller ends it."""
    return await asyncio.create_subprocess_exec(
        *prefix,
        WIRE,
        *arguments,
        cwd=cwd,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"} | dict(environ or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )


async def wire(*arguments: str | Path, cwd: Path, environ: Mapping[str, str] | None = None) -> Outcome:
    """Run a command to its end."""
    process = await start(*arguments, cwd=cwd, environ=environ)
    try:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Outcome(process.returncode or 0, out.decode(), err.decode())


async def run(folder: Path, spec: dict[str, Any], *options: str) -> Outcome:
    """Run a pipeline to the end of its input."""
    path = folder / "pipeline.yaml"
    path.write_text(json.dumps({"name": "e2e"} | spec))
    return await wire("run", path, "--until-eof", *options, cwd=folder)


def rows(path: Path) -> list[Any]:
    """Return the decoded lines of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
