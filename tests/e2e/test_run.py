"""`wire run` as an operator meets it: signals, restarts, two runs at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Outcome, rows, run, start, wire
from tests.waiting import until

FOLLOW: dict[str, Any] = {
    "name": "e2e",
    "source": {"type": "file", "config": {"path": "in.jsonl", "follow": True}},
    "transforms": [{"filter": "n >= 0"}],
    "sink": {"type": "file", "config": {"path": "out.jsonl"}},
    "checkpoint": {"interval": "20ms"},
}


def append(folder: Path, first: int, count: int) -> None:
    with (folder / "in.jsonl").open("a") as file:
        file.write("".join(f'{{"n":{n}}}\n' for n in range(first, first + count)))


class Running:
    """A `wire run` that goes on in the background."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ended(self) -> Outcome:
        async with asyncio.timeout(60):
            out, err = await self.process.communicate()
        return Outcome(self.process.returncode or 0, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def started(folder: Path, spec: dict[str, Any]) -> AsyncIterator[Running]:
    (folder / "pipeline.yaml").write_text(json.dumps(spec))
    process = await start("run", "pipeline.yaml", cwd=folder)
    try:
        yield Running(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def size(folder: Path) -> int:
    """Return the bytes of everything the sink has written, under whatever name."""
    return sum(path.stat().st_size for path in folder.glob("*out*") if path.exists())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_commits_and_exits_zero(tmp_path: Path, number: signal.Signals) -> None:
    append(tmp_path, 0, 1000)
    async with started(tmp_path, FOLLOW) as running:
        await until(lambda: size(tmp_path) > 5000)
        running.process.send_signal(number)
        outcome = await running.ended()
    assert outcome.code == 0, outcome.err
    assert "stopping" in outcome.err
    found = [row["n"] for row in rows(tmp_path / "out.jsonl")]
    assert found == list(range(1000))


async def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    append(tmp_path, 0, 500)
    async with started(tmp_path, FOLLOW) as running:
        await until(lambda: size(tmp_path) > 3000)
        running.process.terminate()
        await running.ended()
    append(tmp_path, 500, 500)
    outcome = await wire("run", "pipeline.yaml", "--until-eof", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    found = [row["n"] for path in sorted(tmp_path.glob("out*.jsonl")) for row in rows(path)]
    assert found == list(range(1000))


async def test_a_signal_ends_a_run_that_still_waits_for_its_input(tmp_path: Path) -> None:
    async with started(tmp_path, FOLLOW) as running:
        assert running.process.stderr is not None
        async with asyncio.timeout(30):
            while b"source.file.not_found" not in await running.process.stderr.readline():
                pass
        running.process.terminate()
        async with asyncio.timeout(10):
            outcome = await running.ended()
    assert outcome.code == 0, outcome.err
    assert "e2e: stopped" in outcome.err


async def test_a_second_signal_quits_at_once(tmp_path: Path) -> None:
    append(tmp_path, 0, 10)
    stuck = FOLLOW | {"sink": {"type": "stdout", "config": {}}, "batch": {"max_records": 1}}
    append(tmp_path, 10, 200_000)  # more than a pipe holds, and nobody reads it
    async with started(tmp_path, stuck) as running:
        assert running.process.stderr is not None
        assert running.process.stdout is not None
        async with asyncio.timeout(30):
            await running.process.stdout.readline()  # a run that is still opening ends at the first signal
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            while b"stopping" not in await running.process.stderr.readline():
                pass
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            assert await running.process.wait() == 130


async def test_a_second_run_of_the_same_pipeline_is_refused(tmp_path: Path) -> None:
    append(tmp_path, 0, 10)
    async with started(tmp_path, FOLLOW) as running:
        await until(lambda: size(tmp_path) > 50)
        outcome = await wire("run", "pipeline.yaml", cwd=tmp_path)
        running.process.terminate()
        await running.ended()
    assert outcome.code == 3
    assert "checkpoint.locked" in outcome.err
    assert "--state-dir" in outcome.err


async def test_a_changed_source_is_refused_until_told_to_start_over(tmp_path: Path) -> None:
    append(tmp_path, 0, 10)
    (tmp_path / "other.jsonl").write_text('{"n":1}\n')
    spec = {key: value for key, value in FOLLOW.items() if key != "name"}
    assert (await run(tmp_path, spec)).code == 0
    spec["source"] = {"type": "file", "config": {"path": "other.jsonl"}}
    spec["sink"] = {"type": "file", "config": {"path": "other-out.jsonl"}}
    refused = await run(tmp_path, spec)
    assert refused.code == 2, refused.err
    assert "checkpoint.source_changed" in refused.err
    assert "--reset" in refused.err
    again = await run(tmp_path, spec, "--reset")
    assert again.code == 0, again.err
    assert rows(tmp_path / "other-out.jsonl") == [{"n": 1}]


async def test_until_eof_ends_a_pipeline_that_would_follow(tmp_path: Path) -> None:
    append(tmp_path, 0, 100)
    (tmp_path / "pipeline.yaml").write_text(json.dumps(FOLLOW))
    outcome = await wire("run", "pipeline.yaml", "--until-eof", "--set", "batch.max_records=7", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert len(rows(tmp_path / "out.jsonl")) == 100
