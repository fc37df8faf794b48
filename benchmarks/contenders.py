"""Who is measured: Wire, the hand-written loop, or nothing at all; each is a command that does the job."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from benchmarks import jobs
from benchmarks.bare_kafka import Loop
from benchmarks.processes import module

WIRE = "wire"
BARE = "bare"
NOTHING = "nothing"


def kafka_command(contender: str, bootstrap: str, source: str, target: str, folder: Path) -> list[str]:
    """Return the command that copies one topic to another through the filter and the select, until SIGTERM.

    Wire may be named by the `delivery` that is asked of it.
    """
    if contender == BARE:
        return module("bare_kafka", Loop(bootstrap, source, target))
    servers = [bootstrap]
    return _wire(
        {
            "type": "kafka",
            "config": {"bootstrap_servers": servers, "topic": source, "group": target, "start": "earliest"},
        },
        {"type": "kafka", "config": {"bootstrap_servers": servers, "topic": target}},
        target,
        folder,
        delivery="at_least_once" if contender == WIRE else contender,
    )


def file_command(contender: str, source: Path, target: Path, folder: Path) -> list[str]:
    """Return the command that copies a JSON Lines file through the filter and the select, and ends."""
    if contender == BARE:
        return [sys.executable, "-m", "benchmarks.bare_file", str(source), str(target)]
    command = _wire(
        {"type": "file", "config": {"path": str(source)}},
        {"type": "file", "config": {"path": str(target)}},
        target.stem,
        folder,
    )
    return [*command, "--until-eof"]


def _wire(
    source: dict[str, object],
    sink: dict[str, object],
    name: str,
    folder: Path,
    delivery: str = "at_least_once",
) -> list[str]:
    pipeline = {
        "name": f"bench-{name}".lower(),
        "source": source,
        "transforms": [{"filter": jobs.FILTER}, {"select": jobs.SELECT}],
        "sink": sink,
        "delivery": delivery,
    }
    return wire_command(pipeline, name, folder)


def wire_command(pipeline: Mapping[str, object], name: str, folder: Path) -> list[str]:
    """Return the command that runs a pipeline; its file and its progress are called `name` in the folder."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(dict(pipeline), sort_keys=False))
    wire = Path(sys.executable).with_name("wire")
    return [str(wire), "run", str(path), "--state-dir", str(folder / f"{name}.state")]


def describe() -> dict[str, str]:
    """Return the job in words, for the report."""
    example = jobs.value(0, 0)
    return {"filter": jobs.FILTER, "select": jobs.SELECT, "record": example.decode(), "bytes": str(len(example))}


def converted(number: int, ts_ns: int) -> bytes:
    """Return the record that must arrive for record `number`."""
    return msgspec.json.encode(jobs.convert(msgspec.json.decode(jobs.value(number, ts_ns), type=jobs.FlightIn)))
