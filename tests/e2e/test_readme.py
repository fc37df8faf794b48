"""What the README shows is what a reader will see."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.command import rows, wire

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LATE_FLIGHTS = 4_918
BROKEN = """\
name: late-flights
source: {type: file, config: {path: flights.csv, format: cvs}}
transforms:
  - filter: "dep_delay > 15 ANDD carrier = 'UA'"
sink: {type: kafak, config: {topic: late}}
"""


def block(kind: str, containing: str) -> str:
    found = [text for text in re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(found) == 1
    return str(found[0])


def test_the_pipeline_shown_is_the_one_that_runs() -> None:
    assert block("yaml", "source:") in (ROOT / "configs" / "quickstart" / "flights.yaml").read_text()


async def test_the_mistakes_shown_are_answered_as_shown(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN)
    outcome = await wire("lint", "broken.yaml", cwd=tmp_path)
    assert block("console", "wire lint broken.yaml") == f"$ wire lint broken.yaml\n{outcome.out}{outcome.err}"
    assert outcome.code == 2


async def test_the_main_job_writes_every_late_flight_with_its_airline(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    outcome = await wire("run", "configs/quickstart/flights.yaml", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "27,004" in outcome.err
    found = rows(tmp_path / "out" / "delayed-flights.jsonl")
    assert len(found) == LATE_FLIGHTS
    assert all(row["airline"] for row in found)


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
