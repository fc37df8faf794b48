"""docs/cookbook.md: every recipe passes lint and its own tests, and there is one for every transform."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.command import wire
from wire.core import plugins
from wire.pipelines.document import parse

COOKBOOK = (Path(__file__).parents[2] / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(name: .*?)^```", COOKBOOK, re.DOTALL | re.MULTILINE)
)
ENVIRON = {"MASK_KEY": "a-key-for-tests-only"}  # as the cookbook says


@pytest.fixture
def recipes(tmp_path: Path) -> list[Path]:
    paths = []
    for text in RECIPES.values():
        paths.append(tmp_path / f"{parse(text).tree['name']}.yaml")
        paths[-1].write_text(text)
    module = re.search(r"```python\n# recipes\.py.*?\n(.*?)```", COOKBOOK, re.DOTALL)
    assert module
    (tmp_path / "recipes.py").write_text(module[1])
    (tmp_path / "rates.csv").write_text("currency,rate\n")
    return paths


async def test_every_recipe_passes_lint_and_its_tests(recipes: list[Path], tmp_path: Path) -> None:
    assert len(recipes) >= 20
    assert len(set(recipes)) == len(recipes), "each has a name of its own"
    linted = await wire("lint", *recipes, "-o", "json", cwd=tmp_path, environ=ENVIRON)
    assert linted.code == 0, linted.out
    assert all(entry["findings"] == [] for entry in json.loads(linted.out))
    tested = await wire("test", *recipes, "-o", "json", cwd=tmp_path, environ=ENVIRON)
    assert tested.code == 0, tested.out
    for entry in json.loads(tested.out):
        assert entry["cases"], "each recipe has tests"
        assert any(rows for case in entry["cases"] for rows in case["output"].values()), "something comes out"


def test_there_is_a_recipe_for_every_transform() -> None:
    used = {name for text in RECIPES.values() for step in parse(text).tree.get("transforms", []) for name in step}
    ours = {
        name for name in plugins.names("transform") if plugins.load("transform", name).build.__module__[:5] == "wire."
    }
    assert used == ours


def test_the_list_at_the_top_leads_to_every_recipe() -> None:
    headings = {re.sub(r"[^a-z0-9 -]", "", name.lower()).replace(" ", "-") for name in RECIPES}
    assert set(re.findall(r"\]\(#([^)]+)\)", COOKBOOK)) == headings | {"how-tests-work"}
