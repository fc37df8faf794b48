"""The connector of docs/connectors.md works as it is printed there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        text=True,
        timeout=100,
        check=False,
        stdout=-1,
        stderr=subprocess.STDOUT,
    )


def test_the_example_passes_the_conformance_checks(project: Path) -> None:
    done = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^1[6-9] passed", done.stdout, re.MULTILINE), done.stdout
