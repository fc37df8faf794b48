"""Fields that are misspelt, missing, doubled or of another kind than what is expected there."""

from __future__ import annotations

import pytest

from tests.unit.pipelines.lint.kit import GOOD, KAFKA, check, only, with_transforms


@pytest.mark.parametrize(
    ("change", "path", "hint"),
    [
        (("source: {", "sorce: {"), "$.sorce", "did you mean `source`?"),
        (("type: kafka, config: {bootstrap", "typ: kafka, config: {bootstrap"), "$.source.typ", "did you mean `type`?"),
        (("transforms:", "transform:"), "$.transform", "did you mean `transforms`?"),
        (("{bootstrap_", "{bootstrap-"), "$.source.config.bootstrap-servers", "did you mean `bootstrap_servers`?"),
    ],
)
def test_a_misspelt_field_is_reported_once(change: tuple[str, str], path: str, hint: str) -> None:
    finding = only(check(GOOD.replace(*change, 1)))
    assert (finding.code, finding.path, finding.hint) == ("config.unknown_key", path, hint)


def test_a_field_of_the_configuration_beside_it() -> None:
    text = f"name: x\nsource: {{type: kafka, topic: t, config: {KAFKA}}}\nsink: {{type: drop}}\n"
    finding = only(check(text))
    assert finding.path == "$.source.topic"
    assert finding.message == "`topic` is a field of the kafka source's configuration"
    assert finding.hint == "move `topic` below `config:`"


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        ("kafka", "$.source", "expected a mapping with `type` and `config`, found text"),
        ("[{type: kafka}]", "$.source", "expected a mapping, found a list"),
        ("", "$.source", None),
        ("{config: {}}", "$.source.type", "`type` is required"),
        ("{type: 5}", "$.source.type", "expected text, found a whole number"),
        ("{type: kafka, config: [a]}", "$.source.config", "expected a mapping, found a list"),
    ],
)
def test_sources_written_wrong(source: str, path: str, message: str | None) -> None:
    result = check(f"name: x\nsource: {source}\nsink: {{type: drop}}\n")
    finding = only(result)
    assert finding.path == path
    assert message is None or finding.message == message


def test_a_transform_without_its_colon_is_shown_with_it_and_where_to_look() -> None:
    assert "`- flatten: {}`" in only(with_transforms("flatten")).hint


@pytest.mark.parametrize(
    ("item", "path", "message"),
    [
        ("filter", "$.transforms[0]", "expected one `name: configuration`"),
        ("{}", "$.transforms[0]", "expected one `name: configuration`"),
        ("[filter]", "$.transforms[0]", "expected one `name: configuration`"),
        ("filter:", "$.transforms[0].filter", "expected an expression, found null"),
        ("filter: [a]", "$.transforms[0].filter", "expected an expression, found a list"),
        ("rename: [a, b]", "$.transforms[0].rename", None),
    ],
)
def test_transforms_written_wrong(item: str, path: str, message: str | None) -> None:
    finding = only(with_transforms(item))
    assert finding.path == path
    assert message is None or finding.message == message


def test_a_mapping_of_transforms_is_not_a_list() -> None:
    finding = only(
        check(GOOD.replace("  - filter", "  filter").replace("  - select", "  select").replace("  - drop", "  drop"))
    )
    assert (finding.path, finding.message) == ("$.transforms", "expected a list of mappings, found a mapping")


def test_exactly_one_of_source_and_sources() -> None:
    both = check(GOOD + "sources: []\n")
    assert [f.message for f in both.findings] == ["`source` and `sources` can't both be given"]
    neither = check("name: x\n")
    assert [(f.path, f.message) for f in neither.findings] == [
        ("$.sink", "`sink` is required"),
        ("$.source", "`source` is required"),
    ]
    empty = check("name: x\nsources: []\nsinks: []\n")
    assert [f.message for f in empty.findings] == [
        "expected at least one source, found an empty list",
        "expected at least one sink, found an empty list",
    ]


def test_names_tell_several_apart() -> None:
    one = f"{{type: kafka, config: {KAFKA}}}"
    named = f"{{type: kafka, name: b, config: {KAFKA}}}"
    result = check(f"name: x\nsources: [{one}, {one}, {named}]\nsink: {{type: drop}}\n")
    assert [(f.code, f.path) for f in result.findings] == [
        ("config.duplicate_name", "$.sources[0]"),
        ("config.duplicate_name", "$.sources[1]"),
    ]
    pipeline = check(f"name: x\nsources: [{one}, {named}]\nsink: {{type: drop}}\n").require()
    assert [source.name for source in pipeline.sources] == ["kafka", "b"]
