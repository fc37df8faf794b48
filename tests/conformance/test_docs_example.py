"""The connector of docs/connectors.md works as it is printed there."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conformance.memory import MemorySourceHarness
from wire.testing.sources import source_checks

PAGE = Path(__file__).parents[2] / "docs" / "connectors.md"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page, in a folder, with the metadata that installing them would leave."""
    for name, text in re.findall(
        r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"wire_sqlite-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    entry_points = project["entry-points"]["wire.sources"].items()
    (info / "entry_points.txt").write_text("[wire.sources]\n" + "".join(f"{k} = {v}\n" for k, v in entry_points))
    return tmp_path


def run(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        text=True,
        timeout=100,
        check=False,
        stdout=-1,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wire(project: Path, *arguments: str) -> str:
    return run(project, "-c", "from wire.cli.main import main; main()", *arguments)


def insert_orders(project: Path, *amounts: int) -> None:
    with contextlib.closing(sqlite3.connect(project / "shop.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (amount INTEGER)")
        database.executemany("INSERT INTO orders VALUES (?)", [(amount,) for amount in amounts])


def test_the_example_passes_the_conformance_checks(project: Path) -> None:
    output = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    assert f"{len(source_checks(MemorySourceHarness))} passed" in output


def test_the_example_runs_in_a_pipeline_and_goes_on_where_it_stopped(project: Path) -> None:
    assert "ok" in wire(project, "lint", "pipeline.yaml")
    assert "The database file." in wire(project, "describe", "sqlite")
    insert_orders(project, 10, 20, 30)
    wire(project, "run", "pipeline.yaml", "--until-eof")
    insert_orders(project, 40, 5)
    wire(project, "run", "pipeline.yaml", "--until-eof")
    written = (project / "out" / "orders.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written] == [{"amount": 20}, {"amount": 30}, {"amount": 40}]
