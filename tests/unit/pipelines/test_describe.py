"""What a struct says of itself, for `wire describe` and the reference pages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, field

from wire.core import plugins
from wire.core.config import ByRecord, Config, Expression, Secret, doc
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import Plugin
from wire.core.units import Duration, Size
from wire.pipelines.describe import FieldDoc, describe, example, inline, plain, words


class Inner(Config, frozen=True, kw_only=True):
    """What is inside. More of it."""

    wait: Annotated[Duration, doc("How long.")] = Duration(5)


class Outer(Config, frozen=True, kw_only=True):
    """What is outside."""

    name: Annotated[str, doc("Its name.")]
    count: Annotated[int, Meta(ge=1, le=9, description="How many.")] = 3
    inner: Inner = Inner()
    many: Annotated[list[Inner] | None, doc("Several.")] = None
    format: Annotated[Format, doc("Encoding.")] = JsonFormat()
    password: Annotated[Secret | None, doc("Hidden.")] = None
    topic: Annotated[str | ByRecord, doc("Where.")] = "t"
    verdict: Annotated[Literal["fail"] | None, doc("What then.")] = "fail"
    nulls: Annotated[list[str], doc("Nothing.")] = field(default_factory=lambda: ["", "NA"])


def test_fields_with_type_default_and_documentation() -> None:
    fields = {f.name: f for f in describe(Outer)}
    assert fields["name"] == FieldDoc(name="name", type="text", required=True, default=None, description="Its name.")
    assert (fields["count"].type, fields["count"].default) == ("whole number ≥ 1, ≤ 9", "3")
    assert (fields["inner"].type, fields["inner"].default, fields["inner"].description) == (
        "mapping",
        None,
        "What is inside. More of it.",
    )
    assert (fields["inner.wait"].type, fields["inner.wait"].default) == ("duration", "5ms")
    assert fields["many"].type == "list of mappings"
    assert fields["many[].wait"].default == "5ms"
    assert (fields["format"].type, fields["format"].default) == ("`json`, `csv`, `text` or `raw`", "json")
    assert fields["format.columns"].description.startswith("(csv) ")
    assert (fields["password"].type, fields["password"].default) == ("secret text", None)
    assert fields["topic"].type == "text or {expr: expression}"
    assert "topic.expr" not in fields
    assert (fields["verdict"].type, fields["verdict"].default) == ("`fail` or null", "fail")
    assert fields["nulls"].default == '["", NA]'


def test_a_configuration_that_is_not_a_mapping() -> None:
    assert [(f.name, f.type) for f in describe(Expression)] == [("", "expression")]
    assert [(f.name, f.type) for f in describe(dict[str, str | Inner])] == [
        ("", "mapping of text or mapping"),
        ("*.wait", "duration"),
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (list[int], "list of whole numbers"),
        (list[list[str]], "list of lists of text"),
        (dict[str, Any], "mapping of anything"),
        (bool | None, "true or false"),
        (Literal["a", "b"] | int, "`a` or `b` or whole number"),
    ],
)
def test_words(kind: Any, expected: str) -> None:
    assert words(kind) == expected


def test_values_as_they_would_be_written() -> None:
    config = Outer(name="x", password=Secret("hunter2"))
    assert plain(config) == {
        "name": "x",
        "count": 3,
        "inner": {"wait": "5ms"},
        "format": {"type": "json"},
        "password": "***",
        "topic": "t",
        "verdict": "fail",
        "nulls": ["", "NA"],
    }
    assert inline(Size(1 << 20)) == "1MiB"
    assert inline({"a": [True, None]}) == "{a: [true, null]}"


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("source", "type: x\nconfig:\n  a: 1\n", "source:\n  type: x\n  config:\n    a: 1\n"),
        ("source", "source:\n  type: x\n", "source:\n  type: x\n"),
        ("sink", "", "sink:\n  type: it\n"),
        ("transform", "x:\n  a: 1", "transforms:\n  - x:\n      a: 1\n"),
    ],
)
def test_examples_stand_as_in_a_pipeline(kind: Any, written: str, expected: str) -> None:
    plugin = Plugin(kind=kind, summary="", config=Inner, build=lambda config, context: None, example=written)
    assert example("it", plugin) == expected


@pytest.mark.parametrize("kind", ["source", "sink", "transform"])
def test_every_component_documents_every_field(kind: plugins.Kind) -> None:
    for name in plugins.names(kind):
        plugin = plugins.load(kind, name)
        assert plugin.summary
        assert plugin.example, name
        for documented in describe(plugin.config):
            assert documented.description or not documented.name, (name, documented.name)
