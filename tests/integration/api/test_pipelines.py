"""Definitions over HTTP: make, read, change, compare, delete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.integration.api.api_kit import YAML, Served, serving, spec
from wire.api.ports import Consistency
from wire.cluster.state import State
from wire.node.control.asking import Asking

ALL = "/api/v1/pipelines"


async def test_a_pipeline_that_is_made_is_there(api: Served) -> None:
    made = await api.client.post(ALL, json=spec("flights"))
    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/namespaces/default/pipelines/flights"
    found = await api.client.get(made.headers["location"])
    assert found.status_code == 200
    assert found.headers["etag"] == made.headers["etag"]
    body = made.json()
    assert (body["name"], body["namespace"], body["version"], body["created"]) == ("flights", "default", 1, True)
    assert (body["desired"], body["state"]) == ("running", "starting")
    assert body["spec"] == {**spec("flights"), "namespace": "default"}
    assert {key: body[key] for key in found.json()} == found.json()


async def test_yaml_is_taken_and_given(api: Served) -> None:
    text = "# late ones\nname: late\nsource: {type: generate}\nsink: {type: drop}\n"
    made = await api.client.post(ALL, content=text, headers={**YAML, "accept": "application/yaml"})
    assert made.status_code == 201
    assert made.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(made.text)["spec"]["name"] == "late"


async def test_the_order_in_which_a_spec_is_written_makes_no_other_one(api: Served) -> None:
    await api.create("a", description="d")
    turned = dict(reversed(spec("a", description="d").items()))
    again = await api.client.put(f"{ALL}/a", json=turned)
    assert (again.status_code, again.json()["changed"], again.json()["version"]) == (200, False, 1)


async def test_put_makes_and_then_changes(api: Served) -> None:
    made = await api.client.put(f"{ALL}/a", json=spec("a"))
    assert (made.status_code, made.json()["created"]) == (201, True)
    changed = await api.client.put(f"{ALL}/a?note=why", json=spec("a", description="new"))
    assert (changed.status_code, changed.json()["version"], changed.json()["created"]) == (200, 2, False)
    assert changed.json()["job_id"] != made.json()["job_id"]
    versions = (await api.client.get(f"{ALL}/a/versions")).json()["items"]
    assert [(each["version"], each["current"], each["note"]) for each in versions] == [(2, True, "why"), (1, False, "")]


async def test_if_match_guards_against_changes_of_others(api: Served) -> None:
    made = await api.client.post(ALL, json=spec("a"))
    old = made.headers["etag"]
    changed = await api.client.put(f"{ALL}/a", json=spec("a", description="1"), headers={"if-match": old})
    assert changed.status_code == 200
    stale = await api.client.put(f"{ALL}/a", json=spec("a", description="2"), headers={"if-match": old})
    assert (stale.status_code, stale.json()["code"]) == (412, "cluster.revision_changed")
    one_of = f'"1", W/{changed.headers["etag"]}, {changed.headers["etag"]}'
    assert (await api.client.put(f"{ALL}/a", json=spec("a"), headers={"if-match": one_of})).status_code == 200
    assert (await api.client.delete(f"{ALL}/a", headers={"if-match": old})).status_code == 412
    assert (await api.client.delete(f"{ALL}/a", headers={"if-match": "*"})).status_code == 204


async def test_a_weak_etag_guards_nothing(api: Served) -> None:
    made = await api.client.post(ALL, json=spec("a"))
    weak = {"if-match": f"W/{made.headers['etag']}"}
    assert (await api.client.put(f"{ALL}/a", json=spec("a", description="1"), headers=weak)).status_code == 412


async def test_guards_ask_whether_there_is_one(api: Served) -> None:
    absent = await api.client.put(f"{ALL}/a", json=spec("a"), headers={"if-match": "*"})
    assert absent.status_code == 412
    only_new = {"if-none-match": "*"}
    assert (await api.client.put(f"{ALL}/a", json=spec("a"), headers=only_new)).status_code == 201
    assert (await api.client.put(f"{ALL}/a", json=spec("a"), headers=only_new)).status_code == 412
    assert (await api.client.delete(f"{ALL}/a", headers=only_new)).status_code == 412
    assert (await api.client.delete(f"{ALL}/b", headers={"if-match": "*"})).status_code == 412
    assert (await api.client.delete(f"{ALL}/b", headers={"if-match": '"7"'})).status_code == 412
    assert (await api.client.put(f"{ALL}/b", json=spec("b"), headers={"if-match": '"7"'})).status_code == 412
    assert (await api.client.put(f"{ALL}/b", json=spec("b"), headers={"if-match": '"x"'})).status_code == 412


async def test_a_guard_that_nothing_meets_is_refused_at_once(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    read, looked = Asking.state, 0

    async def counted(asking: Asking, consistency: Consistency) -> State:
        nonlocal looked
        looked += 1
        assert looked == 1, "it is looked at again and again"
        return await read(asking, consistency)

    monkeypatch.setattr(Asking, "state", counted)
    refused = await api.client.put(f"{ALL}/a", json=spec("a"), headers={"if-match": "*"})
    assert (refused.status_code, refused.json()["code"]) == (412, "cluster.revision_changed")


async def test_who_has_it_already_is_told_so(api: Served) -> None:
    made = await api.client.post(ALL, json=spec("a"))
    known = {"if-none-match": made.headers["etag"]}
    same = await api.client.get(f"{ALL}/a", headers=known)
    assert (same.status_code, same.content) == (304, b"")
    await api.client.put(f"{ALL}/a/pause")
    assert (await api.client.get(f"{ALL}/a", headers=known)).status_code == 200


async def test_a_dry_run_says_what_would_be_and_changes_nothing(api: Served) -> None:
    plan = await api.client.post(f"{ALL}?dry_run", json=spec("a"))
    assert (plan.status_code, plan.json()["created"], plan.json()["version"]) == (200, True, 1)
    assert (await api.client.get(f"{ALL}/a")).status_code == 404
    made = await api.create("a")
    plan = await api.client.put(f"{ALL}/a?dry_run=true", json=spec("a", batch={"max_records": 7}))
    body = plan.json()
    assert (body["created"], body["changed"], body["version"], body["keeps_positions"]) == (False, True, 2, True)
    assert body["differences"] == [{"path": "$.batch", "before": None, "after": {"max_records": 7}}]
    assert (await api.client.get(f"{ALL}/a")).json()["revision"] == made["revision"]
    taken = await api.client.post(f"{ALL}?dry_run", json=spec("a"))
    assert (taken.status_code, taken.json()["code"]) == (409, "cluster.pipeline_exists")


async def test_versions_can_be_read_compared_and_gone_back_to(api: Served) -> None:
    await api.create("a")
    await api.client.put(f"{ALL}/a", json=spec("a", transforms=[{"filter": "id > 1"}]))
    diff = (await api.client.get(f"{ALL}/a/versions/2/diff?before=1")).json()
    assert [each["path"] for each in diff["differences"]] == ["$.transforms"]
    assert (await api.client.get(f"{ALL}/a/versions/1")).json()["spec"] == {**spec("a"), "namespace": "default"}
    back = await api.client.post(f"{ALL}/a/rollback", json={"version": 1})
    assert (back.status_code, back.json()["version"]) == (200, 3)
    assert back.json()["spec"] == {**spec("a"), "namespace": "default"}
    gone = await api.client.post(f"{ALL}/a/rollback", json={"version": 9})
    assert (gone.status_code, gone.json()["code"]) == (404, "cluster.unknown_version")


async def test_a_new_source_must_say_where_to_start(api: Served) -> None:
    await api.create("a")
    other = spec("a", source={"type": "generate", "config": {"seed": 7}})
    refused = await api.client.put(f"{ALL}/a", json=other)
    assert (refused.status_code, refused.json()["code"]) == (422, "cluster.start_not_said")
    kept = await api.client.put(f"{ALL}/a?start=keep", json=other)
    assert (kept.status_code, kept.json()["generation"]) == (200, 0)
    began = await api.client.put(f"{ALL}/a?start=configured", json=spec("a"))
    assert (began.status_code, began.json()["generation"]) == (200, 1)
    refused = await api.client.post(f"{ALL}/a/rollback", json={"version": 2})
    assert (refused.status_code, refused.json()["code"]) == (422, "cluster.start_not_said")
    back = await api.client.post(f"{ALL}/a/rollback?start=keep", json={"version": 2})
    assert (back.status_code, back.json()["generation"]) == (200, 1)


async def test_a_start_that_the_source_contradicts_is_refused(api: Served) -> None:
    config = {"bootstrap_servers": ["b:9092"], "topic": "t", "start": "latest"}
    kafka = spec("a", source={"type": "kafka", "config": config})
    assert (await api.client.post(ALL, json=kafka)).status_code == 201
    kafka["source"]["config"]["topic"] = "u"
    refused = await api.client.put(f"{ALL}/a?start=earliest", json=kafka)
    assert (refused.status_code, refused.json()["path"]) == (422, "query.start")
    assert "says start: latest" in refused.json()["detail"]
    assert (await api.client.put(f"{ALL}/a?start=latest", json=kafka)).json()["generation"] == 1
    config["start"] = "2024-05-01T00:00:00Z"
    config["topic"] = "v"
    assert (await api.client.put(f"{ALL}/a?start=2024-05-01T02:00:00%2B02:00", json=kafka)).json()["generation"] == 2
    assert (await api.client.put(f"{ALL}/a?start=yesterday", json=kafka)).status_code == 422


async def test_how_a_source_is_read_may_change_without_a_word(api: Served) -> None:
    await api.create("a")
    slower = spec("a", source={"type": "generate", "config": {"rate": 5}})
    assert (await api.client.put(f"{ALL}/a", json=slower)).json()["generation"] == 0


async def test_a_source_with_another_name_is_another_source(api: Served) -> None:
    await api.create("a")
    renamed = spec("a", source={"type": "generate", "name": "numbers"})
    assert (await api.client.put(f"{ALL}/a", json=renamed)).json()["code"] == "cluster.start_not_said"


async def test_a_deleted_pipeline_is_gone_and_its_name_is_free(api: Served) -> None:
    first = await api.client.post(ALL, json=spec("a"))
    assert (await api.client.delete(f"{ALL}/a")).status_code == 204
    assert (await api.client.get(f"{ALL}/a")).status_code == 404
    assert (await api.client.delete(f"{ALL}/a")).status_code == 404
    second = await api.client.post(ALL, json=spec("a"))
    assert second.status_code == 201
    assert second.headers["etag"] != first.headers["etag"]


async def test_namespaces_keep_pipelines_apart(api: Served) -> None:
    await api.create("a")
    prod = "/api/v1/namespaces/prod/pipelines"
    made = await api.client.post(prod, json=spec("a"))
    assert (made.status_code, made.json()["namespace"], made.json()["spec"]["namespace"]) == (201, "prod", "prod")
    assert (await api.client.delete(f"{ALL}/a")).status_code == 204
    assert [each["name"] for each in (await api.client.get(prod)).json()["items"]] == ["a"]
    assert (await api.client.get(ALL)).json() == {"items": [], "next": None}


async def test_warnings_come_with_the_answer(api: Served) -> None:
    loop = spec(
        "a",
        source={"type": "kafka", "config": {"bootstrap_servers": ["b:9092"], "topic": "t"}},
        sink={"type": "kafka", "config": {"bootstrap_servers": ["b:9092"], "topic": "t"}},
    )
    made = await api.client.post(ALL, json=loop)
    assert [(each["code"], each["severity"]) for each in made.json()["warnings"]] == [("config.loop", "warning")]


async def test_what_was_confirmed_is_there_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await served.client.post(ALL, json=spec("a", description="ü"))
    async with serving(tmp_path, founded=True) as served:
        found = await served.client.get(f"{ALL}/a")
        assert found.headers["etag"] == made.headers["etag"]
        assert json.loads(found.content)["spec"]["description"] == "ü"
