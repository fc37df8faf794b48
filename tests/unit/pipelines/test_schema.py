"""The JSON Schema accepts what lint accepts, and refuses what an editor should underline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from wire.core import plugins
from wire.pipelines.describe import example
from wire.pipelines.document import parse
from wire.pipelines.lint import lint
from wire.pipelines.schema import pipeline_schema

ROOT = Path(__file__).parents[3]
SOURCE = {"type": "kafka", "config": {"bootstrap_servers": ["x:1"], "topic": "t"}}
SECRETS = ("API_TOKEN", "CRM_TOKEN", "HOOK_SECRET", "HOOK_TOKEN", "MASK_KEY")
ENVIRON = {"MONGODB_URI": "mongodb://localhost:27017", **dict.fromkeys(SECRETS, "0123456789abcdef")}
"""What the examples refer to."""

EXAMPLES = [each for each in ROOT.glob("configs/**/*.yaml") if not each.match("cluster/node-*")]

GOOD: dict[str, Any] = {"name": "p", "source": SOURCE, "sink": {"type": "drop"}}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    schema = pipeline_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_example_pipelines_are_valid(validator: jsonschema.Draft7Validator, path: Path) -> None:
    validator.validate(parse(path.read_text()).tree)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in ("source", "sink", "transform") for n in plugins.names(k)])
def test_every_component_s_example_passes_lint_and_schema(
    validator: jsonschema.Draft7Validator, kind: plugins.Kind, name: str
) -> None:
    given = yaml.safe_load(example(name, plugins.load(kind, name)))
    spec = {**GOOD, **given}
    validator.validate(spec)
    assert lint(yaml.safe_dump(spec), environ=ENVIRON).errors == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": {"max_bytes": "1MiB", "max_wait": "1m30s", "max_records": 5}},
        {"retry": {"attempts": "unlimited"}},
        {"retry": {"attempts": 3, "factor": 1.5}},
        {"source": {**SOURCE, "config": {**SOURCE["config"], "format": "csv"}}},  # type: ignore[dict-item]
        {"source": {**SOURCE, "config": {**SOURCE["config"], "format": {"type": "csv", "types": {"a": "bigint"}}}}},  # type: ignore[dict-item]
        {"source": {"type": "generate", "config": {"count": "${env:COUNT}", "rate": 10}}},
        {"sink": None, "sinks": [{"type": "drop", "when": "a > 1"}, {"type": "drop", "name": "b", "when": True}]},
    ],
)
def test_what_lint_accepts_is_valid(validator: jsonschema.Draft7Validator, changes: dict[str, Any]) -> None:
    spec = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    assert lint(yaml.safe_dump(spec), environ={"COUNT": "5"}).errors == ()
    validator.validate(spec)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Not A Name"},
        {"nonsense": 1},
        {"source": None},
        {"sources": [SOURCE]},
        {"source": {"type": "kafak"}},
        {"source": {"type": "kafka"}},
        {"source": {**SOURCE, "config": {**SOURCE["config"], "tpic": "t"}}},  # type: ignore[dict-item]
        {"batch": {"max_bytes": 5}},
        {"batch": {"max_records": 0}},
        {"delivery": "exactly_onec"},
        {"transforms": [{"filtr": "a"}]},
        {"transforms": [{"filter": "a", "drop": ["b"]}]},
        {"transforms": [{"drop": "a"}]},
    ],
)
def test_what_lint_refuses_is_not_valid(validator: jsonschema.Draft7Validator, changes: dict[str, Any]) -> None:
    spec = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    assert lint(yaml.safe_dump(spec), environ={}).errors
    assert not validator.is_valid(spec)


def test_descriptions_and_defaults_are_in_the_schema() -> None:
    properties = pipeline_schema()["properties"]
    assert properties["batch"]["properties"]["max_records"]["default"] == 1000
    assert properties["batch"]["properties"]["max_wait"]["description"]
    assert "kafka" in properties["source"]["properties"]["type"]["enum"]
