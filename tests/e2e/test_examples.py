"""The pipelines that come with Wire, and those that `wire new` writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.e2e.command import wire
from wire.core import plugins
from wire.node.loading import load

ROOT = Path(__file__).parents[2]
ENVIRON = {"MONGODB_URI": "mongodb://localhost:27017/?replicaSet=rs0"} | dict.fromkeys(
    ("API_TOKEN", "HOOK_SECRET", "HOOK_TOKEN"), "a-key-for-tests-only"
)
NODES = sorted(ROOT.glob("configs/cluster/node-*.yaml"))
PIPELINES = sorted({*ROOT.glob("configs/*.yaml"), *ROOT.glob("configs/*/*.yaml")} - {*NODES})


async def test_every_example_passes_lint_and_its_tests() -> None:
    assert len(PIPELINES) >= 6
    linted = await wire("lint", *PIPELINES, "-o", "json", cwd=ROOT, environ=ENVIRON)
    assert linted.code == 0, linted.out
    assert all(entry["findings"] == [] for entry in json.loads(linted.out))
    tested = await wire("test", *PIPELINES, "-o", "json", cwd=ROOT, environ=ENVIRON)
    assert tested.code == 0, tested.out
    assert all(entry["cases"] for entry in json.loads(tested.out)), "each example has tests"


def test_every_node_that_comes_as_an_example_is_configured_without_mistakes() -> None:
    configs = [load({"config": str(path)}, {}).config for path in NODES]
    assert [config.name for config in configs] == ["node-1", "node-2", "node-3"]
    assert len({config.listen for config in configs}) == 3
    assert all(config.join in ([], [configs[0].listen]) for config in configs)


async def test_the_quickstart_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs" / "quickstart", tmp_path / "configs" / "quickstart")
    first = await wire("run", "configs/quickstart/flights.yaml", cwd=tmp_path)
    assert first.code == 0, first.err
    assert first.out == ""
    for piece in ("delayed-flights: done in", "27,004", "22,086", "4,918", "to file out/delayed-flights.jsonl"):
        assert piece in first.err
    rows = [json.loads(line) for line in (tmp_path / "out" / "delayed-flights.jsonl").read_text().splitlines()]
    assert len(rows) == 4918
    assert rows[0]["airline"] == "ExpressJet Airlines Inc."
    again = await wire("run", "configs/quickstart/flights.yaml", cwd=tmp_path)
    assert again.code == 0
    assert "nothing new since the last run; --reset starts anew" in again.err


ENVIRON = {
    "MONGODB_URI": "mongodb://localhost:27017",
    **dict.fromkeys(("API_TOKEN", "HOOK_SECRET", "HOOK_TOKEN"), "0123456789abcdef"),
}
"""What the examples of connectors refer to."""


@pytest.mark.parametrize("source", plugins.names("source"))
async def test_what_new_writes_passes_lint(tmp_path: Path, source: str) -> None:
    paths = []
    for sink in plugins.names("sink"):
        written = await wire("new", f"{source}-to-{sink}", cwd=tmp_path)
        assert written.code == 0, written.err
        paths.append(tmp_path / f"{sink}.yaml")
        paths[-1].write_text(written.out)
    named = await wire("new", source, "drop", "--name", "true", cwd=tmp_path)
    paths.append(tmp_path / "named.yaml")
    paths[-1].write_text(named.out)
    linted = await wire("lint", *paths, cwd=tmp_path, environ=ENVIRON)
    assert linted.code == 0, linted.out
    assert "config.conflict" not in linted.out


async def test_new_from_a_sample_runs_and_its_test_passes(tmp_path: Path) -> None:
    shutil.copy(ROOT / "configs/quickstart/flights-2013-01.csv.gz", tmp_path / "f.csv.gz")
    written = await wire("new", "file", "stdout", "--sample", "f.csv.gz", "--name", "mine", cwd=tmp_path)
    (tmp_path / "p.yaml").write_text(written.out)
    spec = yaml.safe_load(written.out)
    assert spec["name"] == "mine"
    types = spec["source"]["config"]["format"]["types"]
    assert (types["dep_delay"], types["time_hour"], types.get("tailnum")) == ("bigint", "timestamp", None)
    assert (await wire("test", "p.yaml", cwd=tmp_path)).code == 0
    result = await wire("run", "p.yaml", cwd=tmp_path)
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 27004
