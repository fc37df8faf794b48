"""Specs as they are sent: what is stored of them, and whether two versions read the same."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.core.errors import ConfigError, RetryableError, UnavailableError
from wire.core.permissions import EVERYTHING, Permissions
from wire.node.control import submissions
from wire.node.control.submissions import Checked, Submissions, canonical

KAFKA = {"type": "kafka", "config": {"bootstrap_servers": ["b:9092"], "topic": "t"}}


def spec(source: Any = None, **fields: Any) -> str:
    return json.dumps({"name": "a", "source": source or KAFKA, "sink": {"type": "drop"}, **fields})


async def checked(text: str, permissions: Permissions = EVERYTHING, **environ: str) -> Checked:
    async with Submissions(permissions, environ) as its:
        return await its.check(text, "default", None)


async def changed(before: str, after: str, permissions: Permissions = EVERYTHING, **environ: str) -> list[str]:
    """Return which sources of `before` the second one does not read any more."""
    now, stored = await checked(after, permissions, **environ), (await checked(before, **environ)).spec
    async with Submissions(permissions, environ) as its:
        return await its.not_read_any_more(stored, "default", now.sources)


@given(st.permutations(["name", "source", "sink", "description", "batch"]))
def test_what_is_stored_does_not_depend_on_the_order_of_the_fields(order: list[str]) -> None:
    whole = {"name": "a", "source": KAFKA, "sink": {"type": "drop"}, "description": "ü", "batch": {}}
    stored = canonical({key: whole[key] for key in order}, "prod")
    assert stored == canonical(whole, "prod")
    assert list(msgspec.json.decode(stored)) == ["name", "namespace", "description", "source", "sink", "batch"]


async def test_what_comes_while_a_node_stops_is_refused_as_by_one_that_has_stopped() -> None:
    async with Submissions(EVERYTHING, {}) as its:
        waiting = [asyncio.create_task(its.check(spec(), "default", None)) for _ in range(20)]  # noqa: TID251
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    late = await asyncio.gather(its.check(spec(), "default", None), return_exceptions=True)
    refused = [each for each in (*answers, *late) if not isinstance(each, Checked)]
    assert refused
    assert {(type(each), getattr(each, "code", None)) for each in refused} == {(UnavailableError, "raft.stopped")}


async def test_what_a_spec_says_of_its_jobs_is_told() -> None:
    found = await checked(spec(parallelism=4, weight=3, node_selector={"zone": "a"}))
    assert (found.parallelism, found.weight, dict(found.node_selector)) == (4, 3, {"zone": "a"})
    found = await checked(spec())
    assert (found.parallelism, found.weight, dict(found.node_selector)) == (None, 1, {})


@pytest.mark.parametrize("place", ["sink", "on_error"])
async def test_files_are_written_by_one_task(place: str) -> None:
    sink = {"type": "file", "config": {"path": "out.jsonl"}}
    fields = {"sink": sink} if place == "sink" else {"on_error": {"policy": "dead_letter", "sink": sink}}
    assert (await checked(spec(**fields))).parallelism == 1
    assert (await checked(spec(**fields, parallelism=1))).parallelism == 1
    with pytest.raises(ConfigError) as refused:
        await checked(spec(**fields, parallelism=2))
    assert [(each.code, each.path) for each in refused.value.findings if each.severity == "error"] == [
        ("config.conflict", "$.parallelism")
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (spec(), spec(), []),
        (spec(), spec(description="x"), []),
        (spec(), spec({**KAFKA, "config": {**KAFKA["config"], "group": "g"}}), []),  # how, not what
        (spec(), spec({**KAFKA, "config": {**KAFKA["config"], "topic": "u"}}), ["kafka"]),
        (spec(), spec({**KAFKA, "name": "flights"}), ["kafka"]),
        (spec({**KAFKA, "name": "flights"}), spec({**KAFKA, "name": "flights"}), []),
        (spec(), spec({"type": "generate"}), ["kafka"]),
    ],
)
async def test_sources_are_told_apart_by_what_they_read(before: str, after: str, expected: list[str]) -> None:
    assert await changed(before, after) == expected


async def test_of_several_sources_the_one_that_is_gone_is_named() -> None:
    two = {
        "sources": [{**KAFKA, "name": "x"}, {"type": "generate", "name": "y"}],
        "sink": {"type": "drop"},
        "name": "a",
    }
    one = {**two, "sources": two["sources"][:1]}
    assert await changed(json.dumps(two), json.dumps(one)) == ["y"]
    assert await changed(json.dumps(one), json.dumps(two)) == []


async def test_a_version_that_is_not_allowed_any_more_is_compared_as_it_is_written() -> None:
    source = {"type": "kafka", "config": {**KAFKA["config"], "topic": "${env:TOPIC}"}}
    assert await changed(spec(source), spec(source, description="x"), Permissions(env=("TOPIC",)), TOPIC="t") == []
    assert await changed(spec(source), spec(), Permissions(), TOPIC="t") == ["kafka"]  # for all that is known


async def test_references_stay_references() -> None:
    source = {"type": "kafka", "config": {**KAFKA["config"], "topic": "${env:TOPIC}"}}
    assert b"${env:TOPIC}" in (await checked(spec(source), TOPIC="t")).spec
    with pytest.raises(ConfigError, match=r"config\.reference_unresolved"):
        await checked(spec(source))


async def test_too_much_that_waits_is_refused_and_later_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec()
    monkeypatch.setattr(submissions, "_MOST_WAITING_BYTES", 2 * len(text))
    async with Submissions(EVERYTHING, {}) as its:
        checks = [its.check(text, "default", None) for _ in range(5)]
        results = await asyncio.gather(*checks, return_exceptions=True)
        refused = [result for result in results if isinstance(result, RetryableError)]
        assert [error.code for error in refused] == ["cluster.busy"] * 3
        assert (await its.check(text, "default", None)).name == "a"
