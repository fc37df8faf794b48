"""Requests that can't be met: each is told what is wrong, where, and what to do; nothing is half done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.api_kit import YAML, Served, serving, spec
from wire.core.permissions import Permissions

ALL = "/api/v1/pipelines"
PROBLEM = "application/problem+json"


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:wire:{code}")
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


async def nothing_is_there(api: Served) -> bool:
    return bool((await api.client.get(ALL)).json()["items"] == [])


async def test_all_mistakes_of_a_spec_are_told_with_their_places(api: Served) -> None:
    text = "name: a\nsource: {type: generatee}\nsink: {type: drop}\nbatch: {max_wait: 5}\nretries: 3\n"
    body = assert_problem(await api.client.post(ALL, content=text, headers=YAML), 422, "config.unknown_component")
    assert [(each["code"], each["path"], each["line"]) for each in body["errors"]] == [
        ("config.unknown_component", "$.source.type", 2),
        ("config.invalid", "$.batch.max_wait", 4),
        ("config.unknown_key", "$.retries", 5),
    ]
    assert body["hint"] == "did you mean `generate`?"
    assert all(each["message"] for each in body["errors"])
    assert await nothing_is_there(api)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "config.missing"),
        ("just text", "config.invalid"),
        ("- a\n- b\n", "config.invalid"),
        ("name: [", "config.syntax"),
        ('{"name": "a",}', "config.syntax"),
        ("name: a\nname: b\n", "config.duplicate_key"),
        ("a: !!python/object:os.system {}", "config.syntax"),
        ("a: &a [*a]", "config.syntax"),
        ("[" * 100, "config.syntax"),
    ],
)
async def test_what_is_no_spec_is_refused(api: Served, text: str, code: str) -> None:
    response = await api.client.post(ALL, content=text, headers=YAML)
    assert_problem(response, 422, code)


async def test_what_is_not_utf8_is_refused_with_the_line(api: Served) -> None:
    response = await api.client.post(ALL, content=b"name: a\ndescription: \xff\n", headers=YAML)
    assert assert_problem(response, 422, "config.syntax")["errors"][0]["line"] == 2


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "18446744073709551616"])
async def test_numbers_that_json_has_not_are_refused(api: Served, value: str) -> None:
    text = (
        "name: a\nsource: {type: generate}\nsink: {type: drop}\n"
        f"tests:\n  - input: [{{a: {value}}}]\n    output: []\ntransforms: [{{filter: 'false'}}]\n"
    )
    body = assert_problem(await api.client.post(ALL, content=text, headers=YAML), 422, "config.invalid")
    assert (body["path"], body["errors"][0]["line"]) == ("$.tests[0].input[0].a", 5)


async def test_a_taken_name_is_refused(api: Served) -> None:
    made = await api.create("a")
    assert_problem(await api.client.post(ALL, json=spec("a", description="mine")), 409, "cluster.pipeline_exists")
    assert (await api.client.get(f"{ALL}/a")).json()["revision"] == made["revision"]


async def test_name_and_namespace_are_those_of_the_address(api: Served) -> None:
    body = assert_problem(await api.client.put(f"{ALL}/b", json=spec("a")), 422, "config.conflict")
    assert body["path"] == "$.name"
    elsewhere = await api.client.post(ALL, json=spec("a", namespace="prod"))
    body = assert_problem(elsewhere, 422, "config.conflict")
    assert body["hint"] == "remove `namespace`, or send it to /api/v1/namespaces/prod/pipelines"
    strange = await api.client.post("/api/v1/namespaces/No%20Such/pipelines", json=spec("a"))
    assert assert_problem(strange, 422, "config.invalid")["path"] == "$.namespace"
    assert await nothing_is_there(api)


async def test_another_kind_of_body_is_refused(api: Served) -> None:
    form = await api.client.post(ALL, data={"name": "a"})
    assert "application/yaml" in assert_problem(form, 415, "api.media_type")["hint"]
    assert_problem(await api.client.post(ALL, content=b"name: a"), 415, "api.media_type")


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ("?limit=0", "query.limit"),
        ("?limit=many", "query.limit"),
        ("?limit=1001", "query.limit"),
        ("?consistency=maybe", "query.consistency"),
        ("?cursor=%C3%A9", "query.cursor"),
        ("?cursor=bm90IGpzb24", "query.cursor"),
        ("?cursor=MTI", "query.cursor"),
        ("/a/versions/0", "path.number"),
        ("/a/versions/x", "path.number"),
        ("/a/versions/1/diff", "query.before"),
    ],
)
async def test_parameters_that_are_wrong_are_named(api: Served, request_: str, path: str) -> None:
    await api.create("a")
    assert assert_problem(await api.client.get(f"{ALL}{request_}"), 422, "api.invalid")["path"] == path


async def test_a_parameter_that_is_not_known_is_refused(api: Served) -> None:
    misspelt = await api.client.post(f"{ALL}?dryrun&x=1", json=spec("a"))
    body = assert_problem(misspelt, 422, "api.invalid")
    assert [(each["path"], each["hint"]) for each in body["errors"]] == [
        ("query.dryrun", "did you mean `dry_run`?"),
        ("query.x", "known here: dry_run, note"),
    ]
    assert await nothing_is_there(api)
    assert_problem(await api.client.put(f"{ALL}/a/pause?now"), 422, "api.invalid")
    assert_problem(await api.client.get("/livez?verbose"), 422, "api.invalid")


async def test_guards_that_make_no_sense_are_refused(api: Served) -> None:
    for headers in ({"if-match": "7"}, {"if-none-match": '"7"'}, {"if-match": "*", "if-none-match": "*"}):
        assert_problem(await api.client.put(f"{ALL}/a", json=spec("a"), headers=headers), 422, "api.invalid")
    assert_problem(await api.client.post(f"{ALL}?dry_run=perhaps", json=spec("a")), 422, "api.invalid")
    assert await nothing_is_there(api)


async def test_small_bodies_are_checked_too(api: Served) -> None:
    await api.create("a")
    for sent, code in [({}, "config.missing"), ({"version": 0}, "config.invalid"), ({"v": 1}, "config.unknown_key")]:
        assert_problem(await api.client.post(f"{ALL}/a/rollback", json=sent), 422, code)
    assert_problem(await api.client.post("/api/v1/cluster/transfer-leadership", json=[]), 422, "config.invalid")


async def test_addresses_and_methods_that_are_not_there(api: Served) -> None:
    assert_problem(await api.client.get("/api/v1/pipeline"), 404, "api.no_such_address")
    response = await api.client.patch(f"{ALL}/a")
    assert_problem(response, 405, "api.method_not_allowed")
    assert response.headers["allow"]


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, max_body_bytes=1000) as served:
        yield served


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(small: Served) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"#" * 100

    assert_problem(await small.client.post(ALL, content=b"#" * 1001, headers=YAML), 413, "api.body_too_large")
    fits = b"#" * 900 + b"\nname: a\nsource: {type: generate}\nsink: {type: drop}"
    assert (await small.client.post(ALL, content=fits, headers=YAML)).status_code == 201
    chunked = await small.client.post(ALL, content=endless(), headers={**YAML, "transfer-encoding": "chunked"})
    assert_problem(chunked, 413, "api.body_too_large")
    assert read <= 12
    optional = await small.client.post(
        "/api/v1/cluster/transfer-leadership", content=b"#" * 1001, headers=YAML
    )  # fmt: skip
    assert_problem(optional, 413, "api.body_too_large")


async def test_a_request_id_is_taken_over_if_it_is_sane(api: Served) -> None:
    response = await api.client.get(ALL, headers={"x-request-id": "abc-123"})
    assert response.headers["x-request-id"] == "abc-123"
    assert (response.headers["x-wire-version"], response.headers["x-wire-served-by"]) == ("1.2.3", "n1")
    for strange in ("a b", "x" * 200, "", "<script>"):
        response = await api.client.get(ALL, headers={"x-request-id": strange})
        assert len(response.headers["x-request-id"]) == 36


async def test_a_page_of_another_site_can_change_nothing(api: Served) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert_problem(await api.client.post("/api/v1/cluster/snapshots", headers=headers), 403, "api.cross_site")
    own = await api.client.post(ALL, json=spec("a"), headers={"origin": "http://n1", "sec-fetch-site": "same-origin"})
    assert own.status_code == 201


# what a pipeline may not reach for (I9, I10)


def kafka(**config: Any) -> dict[str, Any]:
    return {"type": "kafka", "config": {"bootstrap_servers": ["b:9092"], "topic": "t", **config}}


def with_password(password: str) -> dict[str, Any]:
    return kafka(security={"sasl": {"mechanism": "PLAIN", "username": "u", "password": password}})


async def test_a_written_out_secret_is_refused_and_never_shown(api: Served) -> None:
    response = await api.client.post(ALL, json=spec("a", source=with_password("hunter2hunter2")))
    body = assert_problem(response, 422, "config.literal_secret")
    assert body["path"] == "$.source.config.security.sasl.password"
    assert "hunter2" not in response.text
    assert await nothing_is_there(api)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Served]:
    """A node that has a key and a secret in its environment."""
    (tmp_path / "allowed").mkdir()
    (tmp_path / "node.key").write_text("PRIVATE-KEY")
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "node.key")
    permissions = Permissions(paths=(str(tmp_path / "allowed"),), env=("APP_*",))
    environ = {"CLUSTER_SECRET": "PRIVATE-ENV", "APP_PASSWORD": "PRIVATE-APP"}
    async with serving(tmp_path, permissions=permissions, environ=environ) as served:
        yield served


@pytest.mark.parametrize(
    "fields",
    [
        {"source": with_password("${env:CLUSTER_SECRET}")},
        {"source": with_password("${file:FOLDER/node.key}")},
        {"source": with_password("${file:FOLDER/allowed/../node.key}")},
        {"source": with_password("${file:FOLDER/allowed/link}")},
        {"source": kafka(security={"tls": {"ca": "FOLDER/node.key"}})},
        {"source": {"type": "file", "config": {"path": "FOLDER/node.key"}}},
        {"sink": {"type": "file", "config": {"path": "FOLDER/node.key"}}},
        {"on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": "FOLDER/node.key"}}}},
        {"transforms": [{"python": "os:system"}]},
        {"transforms": [{"lookup": {"file": "FOLDER/node.key", "key": "id", "select": "a"}}]},
    ],
    ids=str,
)
async def test_what_no_list_allows_is_refused_and_never_shown(
    guarded: Served, tmp_path: Path, fields: dict[str, Any]
) -> None:
    text = str(spec("a", **fields)).replace("FOLDER", str(tmp_path)).replace("'", '"')
    response = await guarded.client.post(ALL, content=text, headers=YAML)
    assert response.status_code == 422
    codes = {each["code"] for each in response.json()["errors"]}
    assert "config.not_allowed" in codes, response.text
    assert "PRIVATE" not in response.text
    assert await nothing_is_there(guarded)


async def test_what_a_list_allows_is_taken_and_stays_a_reference(guarded: Served) -> None:
    response = await guarded.client.post(ALL, json=spec("a", source=with_password("${env:APP_PASSWORD}")))
    assert response.status_code == 201
    stored = (await guarded.client.get(f"{ALL}/a")).json()["spec"]["source"]["config"]
    assert stored["security"]["sasl"]["password"] == "${env:APP_PASSWORD}"
    assert "PRIVATE" not in response.text
