"""What steering a pipeline means for its records: a file is copied by real workers, and counted at the destination."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.command import rows
from tests.e2e.nodes_kit import DEADLINE_S, RECORDS, NodeProcess, copying, create, lines, numbered, reaches, status
from tests.waiting import comes_true, until

COPY = "/api/v1/pipelines/copy"


class Copying:
    """A pipeline that copies a file, and has copied a part of it."""

    def __init__(self, folder: Path, client: httpx.AsyncClient) -> None:
        self.source, self.target = numbered(folder / "in.jsonl"), folder / "out.jsonl"
        self.client = client
        self.spec = copying("copy", self.source, self.target, rate=600)

    async def begin(self) -> None:
        await create(self.client, self.spec)
        await until(lambda: lines(self.target) > 200, DEADLINE_S)

    async def ask(self, method: str, path: str = "", **sent: Any) -> None:
        (await self.client.request(method, f"{COPY}{path}", **sent)).raise_for_status()

    async def ends(self) -> None:
        await reaches(self.client, "copy", "done")

    def has_written(self, word: bytes) -> bool:
        """Whether a word is in what is written, be it finished or not."""
        with contextlib.suppress(FileNotFoundError):  # it was renamed since it was listed
            return any(word in each.read_bytes() for each in self.target.parent.glob(f"{self.target.name}*"))
        return False

    def is_whole(self) -> bool:
        """Whether each record is there, once, and in order."""
        return self.target.read_bytes() == self.source.read_bytes()


@pytest.fixture
async def copy(tmp_path: Path) -> AsyncIterator[Copying]:
    async with NodeProcess(tmp_path, "n1", "--allow-paths", tmp_path).running() as client:
        copy = Copying(tmp_path, client)
        await copy.begin()
        yield copy


async def test_a_restart_goes_on_where_the_job_before_had_come_to(copy: Copying) -> None:
    await copy.ask("PUT", "/restart")
    await copy.ends()
    assert copy.is_whole()
    jobs = (await copy.client.get(f"{COPY}/jobs")).json()["items"]
    assert [each["state"] for each in jobs] == ["done", "ended"]


async def test_a_pipeline_that_was_reset_reads_its_source_from_the_start_again(copy: Copying) -> None:
    await copy.ask("PUT", "/stop")
    await reaches(copy.client, "copy", "stopped")
    before = rows(copy.target.rename(copy.target.with_name("before.jsonl")))
    await copy.ask("DELETE", "/checkpoints")
    await copy.ask("PUT", "/start")
    await copy.ends()
    assert copy.is_whole()
    assert before == rows(copy.source)[: len(before)]


async def test_a_reset_pipeline_fails_rather_than_overwrite_what_it_wrote_and_its_node_is_ready(copy: Copying) -> None:
    await copy.ask("PUT", "/stop")
    await reaches(copy.client, "copy", "stopped")
    before = copy.target.read_bytes()
    await copy.ask("DELETE", "/checkpoints")
    await copy.ask("PUT", "/start")

    async def failed() -> bool:
        found = await status(copy.client, "copy")
        return bool(found["state"] == "failed" and found["error"]["code"] == "sink.file.exists")

    await comes_true(failed, DEADLINE_S)
    ready = await copy.client.get("/readyz?sync")
    assert (ready.status_code, "[-]" in ready.text) == (200, False)
    assert copy.target.read_bytes() == before


async def test_a_namesake_goes_on_where_a_pipeline_was_deleted_without_its_checkpoints(copy: Copying) -> None:
    await copy.ask("DELETE", "?keep_checkpoints")
    await create(copy.client, copy.spec)
    await copy.ends()
    assert copy.is_whole()


async def test_a_namesake_starts_over_where_a_pipeline_was_deleted_with_its_checkpoints(copy: Copying) -> None:
    await copy.ask("PUT", "/stop")
    await reaches(copy.client, "copy", "stopped")
    before = rows(copy.target.rename(copy.target.with_name("before.jsonl")))
    await copy.ask("DELETE")
    await create(copy.client, copy.spec)
    await copy.ends()
    assert copy.is_whole()
    assert before == rows(copy.source)[: len(before)]


async def test_a_rollback_takes_over_where_the_newer_version_had_come_to(copy: Copying) -> None:
    newer = copy.spec | {"transforms": [*copy.spec["transforms"], {"select": "*, 2 AS version"}]}
    await copy.ask("PUT", json=newer)
    await until(lambda: copy.has_written(b"version"), DEADLINE_S)
    await copy.ask("POST", "/rollback", json={"version": 1})
    await copy.ends()
    written = rows(copy.target)
    assert [each["n"] for each in written] == list(range(RECORDS))
    changed = [each["n"] for each in written if "version" in each]
    assert changed == list(range(changed[0], changed[-1] + 1))
    assert 0 < changed[0] < changed[-1] < RECORDS - 1
