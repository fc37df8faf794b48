"""Enriching by HTTP, against a real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.services.web import Asked, HangUpError, Reply, WebServer
from tests.unit.pipelines.transforms.kit import batch, codes, finding, node, stage, written
from wire.core.clock import Clock
from wire.core.errors import ConfigError, FatalError, RetryableError
from wire.pipelines.plan import CompiledStage
from wire.pipelines.stage import StageResult
from wire.testing.clock import VirtualClock

CUSTOMERS = {"/c/1": {"name": "Ann", "tier": 1}, "/c/2": {"name": "Bob"}, "/c/a%2Fb%20c": {"name": "Cy"}}


def by_path(asked: Asked) -> Reply:
    return Reply.of(CUSTOMERS[asked.path]) if asked.path in CUSTOMERS else Reply(404)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer(by_path) as server:
        yield server


def compiled(server: WebServer, *before: dict[str, Any], clock: Clock | None = None, **config: Any) -> CompiledStage:
    base = {"type": "http", "url": f"{server.url}/c/{{id}}", "select": "name AS customer, tier"}
    return stage(*before, {"enrich": {**base, **config}}, clock=clock)


async def put(stage: CompiledStage, *rows: Any) -> StageResult:
    return await stage.run_waiting(batch(*(None if row is None else json.dumps(row).encode() for row in rows)))


async def once(stage: CompiledStage, *rows: Any) -> StageResult:
    try:
        return await put(stage, *rows)
    finally:
        await stage.close()


async def test_fields_of_the_answer_are_added_and_replace_others(server: WebServer) -> None:
    result = await once(compiled(server), {"id": 1, "tier": "?"}, {"id": 2}, None, {"id": "a/b c"})
    assert written(result) == [
        {"id": 1, "tier": 1, "customer": "Ann"},
        {"id": 2, "customer": "Bob", "tier": None},
        None,
        {"id": "a/b c", "customer": "Cy", "tier": None},
    ]


async def test_each_thing_is_asked_for_once_and_remembered_even_that_there_is_none(server: WebServer) -> None:
    clock = VirtualClock()
    enrich = compiled(server, clock=clock, cache={"ttl": "60s", "missing_ttl": "10s"})
    for _ in range(2):
        await put(enrich, *({"id": 1 + i % 3} for i in range(30)))
    assert Counter(asked.path for asked in server.asked) == {"/c/1": 1, "/c/2": 1, "/c/3": 1}
    await clock.advance(10)
    await put(enrich, {"id": 1}, {"id": 3})
    assert Counter(asked.path for asked in server.asked) == {"/c/1": 1, "/c/2": 1, "/c/3": 2}
    await clock.advance(50)
    await once(enrich, {"id": 1}, {"id": 3})
    assert Counter(asked.path for asked in server.asked) == {"/c/1": 2, "/c/2": 1, "/c/3": 3}


async def test_only_so_many_answers_are_remembered_the_longest_unused_goes_first(server: WebServer) -> None:
    enrich = compiled(server, cache={"max_entries": 2})
    for key in (1, 2, 1, 3, 1, 2):
        await put(enrich, {"id": key})
    await enrich.close()
    assert [asked.path for asked in server.asked] == ["/c/1", "/c/2", "/c/3", "/c/2"]


async def test_null_asks_nothing(server: WebServer) -> None:
    result = await once(compiled(server), {"id": None}, {"x": 1})
    assert [row["customer"] for row in written(result)] == [None, None]
    assert server.asked == []


@pytest.mark.parametrize("missing", ["keep", "drop", "fail"])
async def test_a_record_without_an_answer_is_kept_dropped_or_fails(server: WebServer, missing: str) -> None:
    result = await once(compiled(server, missing=missing), {"id": 9}, {"id": 1})
    assert len(written(result)) == (2 if missing == "keep" else 1)
    assert (result.filtered, codes(result)) == (
        int(missing == "drop"),
        [(0, "transform.enrich.no_match")] if missing == "fail" else [],
    )


async def test_a_value_cannot_lead_out_of_the_path(server: WebServer) -> None:
    result = await once(compiled(server), {"id": ".."}, {"id": "../admin"})
    assert codes(result) == [(0, "transform.enrich.invalid_request")]
    assert [asked.path for asked in server.asked] == ["/c/..%2Fadmin"]


async def test_a_post_sends_what_an_expression_makes_and_result_says_where_the_answer_is() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply.of({"data": {"hit": {"name": asked.json["q"].upper(), "key": asked.headers["x-key"]}}})

    with WebServer(answer) as server:
        enrich = compiled(
            server, url=f"{server.url}/find", method="POST", body="{'q': id}", result="data.hit",
            select="name, key", auth={"header": "X-Key", "value": "s3cret"},
        )  # fmt: skip
        assert written(await once(enrich, {"id": "a"}, {"id": "b"}, {"id": "a"})) == [
            {"id": "a", "name": "A", "key": "s3cret"},
            {"id": "b", "name": "B", "key": "s3cret"},
            {"id": "a", "name": "A", "key": "s3cret"},
        ]
        assert len(server.asked) == 2


async def test_many_keys_are_asked_for_in_one_request() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply.of({"hits": [{"k": key, "name": f"n{key}"} for key in asked.json["ids"] if key != 3]})

    with WebServer(answer) as server:
        enrich = compiled(
            server, url=server.url, method="POST", result="hits", select="name",
            batch={"key": "id", "column": "k", "field": "ids", "max_keys": 2},
        )  # fmt: skip
        result = await once(enrich, *({"id": i} for i in (1, 2, 3, 1)), {"id": "1"}, {"id": None})
        assert [row["name"] for row in written(result)] == ["n1", "n2", None, "n1", "n1", None]
        assert sorted(asked.json["ids"] for asked in server.asked if asked.json["ids"] != [3, "1"]) == [[1, 2]]
        assert len(server.asked) == 2


async def test_requests_under_way_are_bounded_and_more_than_one() -> None:
    most, now, lock = 0, 0, threading.Lock()
    together = threading.Barrier(4)

    def answer(asked: Asked) -> Reply:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        together.wait(10)
        with lock:
            now -= 1
        return Reply.of({"name": asked.path})

    with WebServer(answer) as server:
        enrich = compiled(server, concurrency=4)
        results = await asyncio.gather(*(put(enrich, *({"id": 10 * k + i} for i in range(10))) for k in range(2)))
        await enrich.close()
    assert [len(written(result)) for result in results] == [10, 10]
    assert most == 4


# failures


def flaky(*replies: Reply | None) -> Callable[[Asked], Reply]:
    left = list(replies)

    def answer(asked: Asked) -> Reply:
        reply = left.pop(0) if left else Reply.of({"name": "Ann"})
        if reply is None:
            raise HangUpError
        return reply

    return answer


@pytest.mark.parametrize("reply", [Reply(503), Reply(429, headers={"Retry-After": "3"}), Reply(408), None])
async def test_what_passes_is_asked_again_at_once(server: WebServer, reply: Reply | None) -> None:
    server.answer = flaky(reply, reply)
    clock = VirtualClock(autojump=True)
    enrich = compiled(server, clock=clock)
    task = asyncio.create_task(once(enrich, {"id": 1}))  # noqa: TID251 (awaited below)
    assert written(await task)[0]["customer"] == "Ann"
    assert len(server.asked) == 3
    if reply is not None and reply.status == 429:
        assert clock.monotonic() >= 6


async def test_an_outage_is_left_to_the_engine_which_asks_only_for_what_is_missing(server: WebServer) -> None:
    server.answer = lambda asked: by_path(asked) if asked.path == "/c/1" else Reply(500, b"oops")
    enrich = compiled(server, retries=0)
    with pytest.raises(RetryableError, match="answered 500: oops") as caught:
        await put(enrich, {"id": 1}, {"id": 2})
    assert (caught.value.code, caught.value.path) == ("transform.enrich.unreachable", "$.transforms[0]")
    server.answer = by_path
    assert [row["customer"] for row in written(await once(enrich, {"id": 1}, {"id": 2}))] == ["Ann", "Bob"]
    assert Counter(asked.path for asked in server.asked) == {"/c/1": 1, "/c/2": 2}


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(503), "transform.enrich.unreachable"),
        (Reply(400, b"no such thing"), "transform.enrich.refused"),
        (Reply(302, headers={"Location": "/"}), "transform.enrich.refused"),
        (Reply(200, b"<html>"), "transform.enrich.invalid_answer"),
        (Reply.of([1]), "transform.enrich.invalid_answer"),
        (Reply.of({"name": "Ann", "tier": "x"}), "expression.cast"),
        (None, "transform.enrich.unreachable"),
    ],
)
async def test_failures_can_concern_only_their_records_or_nobody(server: WebServer, reply: Any, code: str) -> None:
    server.answer = lambda asked: by_path(asked) if asked.path == "/c/2" else flaky(reply)(asked)
    select = "name AS customer, CAST(tier AS INT) AS tier"
    dead = await once(compiled(server, retries=0, on_failure="dead_letter", select=select), {"id": 1}, {"id": 2})
    assert (codes(dead), [row["customer"] for row in written(dead)]) == ([(0, code)], ["Bob"])
    with capture_logs() as logs:
        kept = await once(compiled(server, retries=0, on_failure="keep", select=select), {"id": 1}, {"id": 2})
    assert [row["customer"] for row in written(kept)] == [None, "Bob"]
    assert [(log["event"], log["code"]) for log in logs] == [("enrich_failed", code)]


async def test_a_refusal_stops_the_pipeline_unless_told_otherwise(server: WebServer) -> None:
    server.answer = flaky(Reply(401))
    with pytest.raises(FatalError, match=r"refused.*answered 401.*check `auth`") as caught:
        await once(compiled(server, url=f"{server.url}/c/{{id}}?token=s3cret"), {"id": 1})
    assert "s3cret" not in str(caught.value)


async def test_a_server_that_does_not_answer_is_not_waited_for_long() -> None:
    release = threading.Event()

    def answer(asked: Asked) -> Reply:
        release.wait(30)
        return Reply()

    with WebServer(answer) as server:
        with pytest.raises(RetryableError, match="did not answer in time"):
            await once(compiled(server, retries=0, timeout="50ms"), {"id": 1})
        release.set()


async def test_nobody_there_is_said_so() -> None:
    with WebServer(by_path) as gone:
        pass
    with pytest.raises(RetryableError, match=r"unreachable.*does not answer"):
        await once(compiled(gone, retries=0), {"id": 1})


def test_tests_of_pipelines_answer_in_place_of_the_service() -> None:
    def ask(key: Any) -> Any:
        return {"http://crm/c/1": {"name": "Ann"}}.get(key)

    from tests.unit.pipelines.transforms.kit import ALL, JSON
    from wire.core.config import parse
    from wire.core.plugins import load
    from wire.pipelines.plan import compile_stage
    from wire.pipelines.transforms import TransformContext

    plugin = load("transform", "enrich")
    config = parse(plugin.config, {"type": "http", "url": "http://crm/c/{id}", "select": "name"}, "$", [])
    enrich = compile_stage(JSON, "test", [plugin.build(config, TransformContext("$", VirtualClock(), ask))], (ALL,))
    result = asyncio.run(put(enrich, {"id": 1}, {"id": 2}))
    assert written(result) == [{"id": 1, "name": "Ann"}, {"id": 2, "name": None}]


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"url": "ftp://x/{id}"}, ".url"),
        ({"url": "crm.example.com"}, ".url"),
        ({"url": "http://u:p@crm/"}, ".url"),
        ({"url": "http://crm/{id"}, ".url"),
        ({"url": "http://crm/{id +}"}, ".url"),
        ({"body": "id"}, ".body"),
        ({"method": "POST", "batch": {"key": "id", "column": "k"}, "url": "http://crm/{id}"}, ".batch"),
        ({"select": "*"}, ".select"),
        ({"select": "name +"}, ".select"),
        ({"select": "meta_offset() AS o"}, ".select"),
        ({"auth": {}}, ".auth"),
        ({"auth": {"username": "me"}}, ".auth.username"),
        ({"auth": {"bearer": "a\nb"}}, ".auth.bearer"),
        ({"headers": {"a b": "c"}}, ".headers"),
        ({"timeout": "0s"}, ".timeout"),
        ({"type": "https"}, None),
        ({"concurrency": 0}, ".concurrency"),
    ],
)
def test_mistakes_are_found_when_it_is_built(config: dict[str, Any], path: str | None) -> None:
    base = {"type": "http", "url": "http://crm/c/{id}", "select": "name AS customer"}
    with pytest.raises(ConfigError) as caught:
        node({"enrich": {**base, **config}})
    assert path is None or finding(caught.value)[1] == f"$.transforms[0].enrich{path}"
