"""Many at once: nothing is lost, exactly one wins a race, lists hold still while things come and go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.api.api_kit import Served, spec

ALL = "/api/v1/pipelines"


async def test_a_hundred_pipelines_made_at_once_are_all_there(api: Served) -> None:
    names = [f"p{n:03}" for n in range(100)]
    responses = await asyncio.gather(*(api.client.post(ALL, json=spec(name)) for name in names))
    assert [response.status_code for response in responses] == [201] * 100
    assert len({response.json()["job_id"] for response in responses}) == 100
    assert [each["name"] for each in (await api.client.get(ALL)).json()["items"]] == names


async def test_of_many_that_make_one_name_one_wins(api: Served) -> None:
    sent = [spec("a", description=str(n)) for n in range(20)]
    responses = await asyncio.gather(*(api.client.post(ALL, json=each) for each in sent))
    codes = [response.status_code for response in responses]
    assert sorted(codes) == [201] + [409] * 19
    assert (await api.client.get(f"{ALL}/a")).json()["spec"]["description"] == str(codes.index(201))


async def test_of_many_that_change_one_revision_one_wins(api: Served) -> None:
    made = await api.client.post(ALL, json=spec("a"))
    guard = {"if-match": made.headers["etag"]}
    sent = [spec("a", description=str(n)) for n in range(20)]
    responses = await asyncio.gather(*(api.client.put(f"{ALL}/a", json=each, headers=guard) for each in sent))
    codes = [response.status_code for response in responses]
    assert sorted(codes) == [200] + [412] * 19
    found = (await api.client.get(f"{ALL}/a")).json()
    assert (found["version"], found["spec"]["description"]) == (2, str(codes.index(200)))


async def test_changes_without_a_guard_all_get_their_turn(api: Served) -> None:
    await api.create("a")
    sent = [spec("a", description=str(n)) for n in range(20)]
    responses = await asyncio.gather(*(api.client.put(f"{ALL}/a", json=each) for each in sent))
    assert [response.status_code for response in responses] == [200] * 20
    assert sorted(response.json()["version"] for response in responses) == list(range(2, 22))
    for response, each in zip(responses, sent, strict=True):  # each is told of its own, whoever came next
        assert response.json()["spec"]["description"] == each["description"]


async def test_the_same_request_under_one_key_is_carried_out_once(api: Served) -> None:
    key = {"idempotency-key": "k1"}
    first = await api.client.post(ALL, json=spec("a"), headers=key)
    again = await api.client.post(ALL, json=spec("a"), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["job_id"] == first.json()["job_id"]
    other = await api.client.post(ALL, json=spec("a", description="another"), headers=key)
    assert other.status_code == 409
    without = await api.client.post(ALL, json=spec("a"))
    assert without.status_code == 409


async def test_a_restart_under_one_key_is_one_restart(api: Served) -> None:
    await api.create("a")
    key = {"idempotency-key": "k1"}
    restarts = [await api.client.put(f"{ALL}/a/restart", headers=key) for _ in range(3)]
    assert len({each.json()["job_id"] for each in restarts}) == 1
    assert (await api.client.put(f"{ALL}/a/restart")).json()["job_id"] != restarts[0].json()["job_id"]


async def test_a_change_under_one_key_is_one_version(api: Served) -> None:
    await api.create("a")
    key = {"idempotency-key": "k1"}
    first = await api.client.put(f"{ALL}/a", json=spec("a", description="1"), headers=key)
    await api.client.put(f"{ALL}/a", json=spec("a", description="2"))
    again = await api.client.put(f"{ALL}/a", json=spec("a", description="1"), headers=key)
    assert (again.status_code, again.json()["version"]) == (200, first.json()["version"])
    found = (await api.client.get(f"{ALL}/a")).json()
    assert (found["version"], found["spec"]["description"]) == (3, "2")


async def test_a_request_that_is_repeated_is_answered_as_before_whatever_its_guard_says_by_now(api: Served) -> None:
    made = await api.client.put(f"{ALL}/a", json=spec("a"), headers={"if-none-match": "*", "idempotency-key": "1"})
    again = await api.client.put(f"{ALL}/a", json=spec("a"), headers={"if-none-match": "*", "idempotency-key": "1"})
    assert (made.status_code, again.status_code, again.headers["etag"]) == (201, 201, made.headers["etag"])
    headers = {"if-match": made.headers["etag"], "idempotency-key": "2"}
    changed = await api.client.put(f"{ALL}/a", json=spec("a", description="1"), headers=headers)
    again = await api.client.put(f"{ALL}/a", json=spec("a", description="1"), headers=headers)
    assert (changed.status_code, again.status_code, again.headers["etag"]) == (200, 200, changed.headers["etag"])
    key = {"idempotency-key": "3"}
    assert [(await api.client.delete(f"{ALL}/a", headers=key)).status_code for _ in range(2)] == [204, 204]
    assert (await api.client.delete(f"{ALL}/a")).status_code == 404


async def pages(api: Served, url: str, limit: int, between: list[Any]) -> list[Any]:
    """Read a list part by part, with something done after each of the first parts."""
    items: list[Any] = []
    cursor = ""
    while True:
        body = (await api.client.get(f"{url}?limit={limit}{cursor}")).json()
        assert len(body["items"]) <= limit
        items.extend(body["items"])
        if body["next"] is None:
            return items
        if between:
            await between.pop(0)()
        cursor = f"&cursor={body['next']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_a_list_read_in_parts_is_the_whole_list(api: Served, limit: int) -> None:
    for name in ("c", "a", "e", "b", "d", "f"):
        await api.create(name)
    assert [each["name"] for each in await pages(api, ALL, limit, [])] == ["a", "b", "c", "d", "e", "f"]
    assert len(await pages(api, "/api/v1/jobs", limit, [])) == 6


async def test_what_comes_and_goes_meanwhile_moves_nothing(api: Served) -> None:
    for name in ("b", "d", "f", "h"):
        await api.create(name)
    between = [
        lambda: api.create("a"),  # before what was read: not in this reading
        lambda: api.client.delete(f"{ALL}/d"),  # was read
        lambda: api.create("g"),  # behind: seen
    ]
    names = [each["name"] for each in await pages(api, ALL, 1, between)]
    assert names == ["b", "d", "f", "g", "h"]


async def test_tasks_checkpoints_and_versions_come_in_parts(api: Served) -> None:
    made = await api.create("a")
    partitions = [f"p{n}" for n in range(5)]
    await api.commit(made, await api.run(made, *partitions), 1, *partitions)
    rows = await pages(api, f"{ALL}/a/checkpoints", 2, [])
    assert [row["partition"] for row in rows] == partitions
    assert [row["slot"] for row in await pages(api, f"{ALL}/a/tasks", 1, [])] == [-1, 0]
    for n in range(4):
        await api.client.put(f"{ALL}/a", json=spec("a", description=str(n)))
    assert [row["version"] for row in await pages(api, f"{ALL}/a/versions", 2, [])] == [5, 4, 3, 2, 1]


async def test_reads_go_on_while_specs_are_checked(api: Served) -> None:
    """A large spec takes long to check; the node answers others meanwhile."""
    large = spec("large", transforms=[{"filter": f"id > {n}"} for n in range(1000)])
    slow = asyncio.get_running_loop().create_task(api.client.post(ALL, json=large))
    answered = 0
    while not slow.done():
        assert (await api.client.get("/livez")).status_code == 200
        await asyncio.sleep(0)  # nothing in an answer from memory waits: the other request would never go on
        answered += 1
    assert (await slow).status_code == 201
    assert answered > 10
