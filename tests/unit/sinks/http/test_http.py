"""What the HTTP sink sends, and what it makes of the answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.services.web import Asked, HangUpError, Reply, WebServer
from wire.core.config import parse
from wire.core.errors import FatalError, Finding, RecordError, RetryableError, UnavailableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Failure, TaskId
from wire.core.records import Batch, PartitionId, Position, Record
from wire.sinks.http import HttpSinkConfig
from wire.sinks.http.sink import HttpSink
from wire.testing.clock import VirtualClock

KEY = "a key that is long enough"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer(lambda _: Reply(204)) as server:
        yield server


def batch(partition: str, *values: bytes | None, keys: Sequence[bytes | None] = (), **columns: list[Any]) -> Batch:
    records = [Record(value, keys[i] if keys else None, 0, (), 10 + i) for i, value in enumerate(values)]
    return Batch(PartitionId(partition), Position(b""), records, columns=columns or None, source="in")


async def write(server: WebServer, *batches: Batch, **config: Any) -> Sequence[Failure]:
    found: list[Finding] = []
    parsed = parse(HttpSinkConfig, {"url": f"{server.url}/hook", **config}, "$", found)
    assert not found
    sink = HttpSink(parsed, ComponentContext("test", "http", clock=VirtualClock()))
    writer = await sink.open(TaskId("default/test"), 1, {})
    try:
        return await writer.write(batches)
    finally:
        await writer.close()


def places(failures: Sequence[Failure]) -> list[tuple[int, int, str]]:
    return sorted((failure.batch, failure.record, failure.error.code) for failure in failures)


def only(bad: Callable[[bytes], bool], reply: Reply) -> Callable[[Asked], Reply]:
    return lambda asked: reply if bad(asked.body) else Reply(204)


async def test_a_request_holds_one_record_several_in_an_array_or_one_per_line(server: WebServer) -> None:
    values = batch("p", b'{"n":1}', b'{"n":2}', b'{"n":3}')
    for body, expected in (
        ("record", [b'{"n":1}', b'{"n":2}', b'{"n":3}']),
        ("array", [b'[{"n":1},{"n":2}]', b'[{"n":3}]']),
        ("lines", [b'{"n":1}\n{"n":2}\n', b'{"n":3}\n']),
    ):
        server.asked.clear()
        assert not await write(server, values, body=body, max_records=2, method="PUT", headers={"X-A": "b"})
        assert [asked.body for asked in server.asked] == expected
        assert {(asked.method, asked.path, asked.headers["x-a"]) for asked in server.asked} == {("PUT", "/hook", "b")}
        content_type = "application/x-ndjson" if body == "lines" else "application/json"
        assert {asked.headers["content-type"] for asked in server.asked} == {content_type}


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"bearer": "t0ken"}, "authorization", "Bearer t0ken"),
        ({"username": "me", "password": "pw"}, "authorization", "Basic bWU6cHc="),
        ({"header": "X-Api-Key", "value": "k"}, "x-api-key", "k"),
    ],
)
async def test_whoever_asks_is_named(server: WebServer, auth: dict[str, str], header: str, value: str) -> None:
    await write(server, batch("p", b"{}"), auth=auth)
    assert server.asked[0].headers[header] == value


async def test_a_signature_proves_who_sent_what_and_when(server: WebServer) -> None:
    await write(server, batch("p", b'{"n":1}'), signing={"key": KEY})
    expected = hmac.new(KEY.encode(), b'1700000000.{"n":1}', hashlib.sha256).hexdigest()
    assert server.asked[0].headers["x-wire-signature"] == f"t=1700000000,v1={expected}"


async def test_a_repeated_request_has_the_same_idempotency_key_and_no_other_has_it(server: WebServer) -> None:
    for _ in range(2):
        await write(server, batch("tøpic/1", b"1", b"2"), batch("b", b"1"))
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert sorted(keys[:3]) == sorted(keys[3:])
    assert set(keys) == {
        "default%2Ftest/0/http/in/t%C3%B8pic%2F1/10",
        "default%2Ftest/0/http/in/t%C3%B8pic%2F1/11",
        "default%2Ftest/0/http/in/b/10",
    }
    server.asked.clear()
    for last in (b"2", b"2", b"3"):
        await write(server, batch("p", b"1", last), body="array")
    await write(server, batch("p", b"1"), body="array")
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2  # by coordinates, not by content
    await write(server, batch("p", b"1"), idempotency_header=None)
    assert "idempotency-key" not in server.asked[-1].headers


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_what_passes_is_to_be_written_again_not_before_it_is_asked_for(server: WebServer, status: int) -> None:
    server.answer = only(lambda body: body == b"2", Reply(status, b"later", {"Retry-After": "7"}))
    failures = await write(server, batch("p", b"1", b"2", b"3"), batch("q", b"4"))
    assert places(failures) == [(0, 1, "sink.http.busy"), (0, 2, "sink.http.busy")]  # 3 must not overtake 2
    errors = [failure.error for failure in failures]
    assert all(isinstance(error, RetryableError) and error.after_s == 7 for error in errors)
    assert "answered " + str(status) + ": later" in errors[0].message
    assert sorted(asked.body for asked in server.asked) == [b"1", b"2", b"4"]


async def test_a_moment_to_try_again_may_be_a_date(server: WebServer) -> None:
    server.answer = lambda _: Reply(503, headers={"Retry-After": "Tue, 14 Nov 2023 22:14:20 GMT"})
    (failure,) = await write(server, batch("p", b"1"))
    assert isinstance(failure.error, RetryableError)
    assert failure.error.after_s == 60


async def test_what_is_refused_fails_alone(server: WebServer) -> None:
    server.answer = only(lambda body: body == b"2", Reply(422, b"no such carrier"))
    failures = await write(server, batch("p", b"1", b"2", b"3"))
    assert places(failures) == [(0, 1, "sink.http.refused")]
    assert isinstance(failures[0].error, RecordError)
    assert failures[0].error.message.endswith("/hook answered 422: no such carrier")


@pytest.mark.parametrize("body", ["array", "lines"])
async def test_of_several_records_in_a_request_only_the_bad_ones_fail_and_order_stays(
    server: WebServer, body: str
) -> None:
    server.answer = only(lambda content: b"bad" in content, Reply(400))
    values = [b'"bad"' if i in (3, 9) else b"%d" % i for i in range(10)]
    failures = await write(server, batch("p", *values), body=body)
    assert places(failures) == [(0, 3, "sink.http.refused"), (0, 9, "sink.http.refused")]
    taken = [
        value
        for asked in server.asked
        if b"bad" not in asked.body
        for value in (json.loads(asked.body) if body == "array" else map(int, asked.body.split()))
    ]
    assert taken == [0, 1, 2, 4, 5, 6, 7, 8]


async def test_answers_may_mean_something_else(server: WebServer) -> None:
    statuses = {"409": "ok", "404": "retry", "5xx": "dead_letter", "401": "fail"}
    for status, code in ((409, []), (404, ["sink.http.busy"]), (503, ["sink.http.refused"])):
        server.answer = lambda _, status=status: Reply(status)  # type: ignore[misc]
        failures = await write(server, batch("p", b"1"), statuses=statuses)
        assert [failure.error.code for failure in failures] == code
    server.answer = lambda _: Reply(401)
    with pytest.raises(FatalError, match=r"answered 401.*check `auth`"):
        await write(server, batch("p", b"1"), statuses=statuses)


async def test_a_redirect_stops_the_pipeline(server: WebServer) -> None:
    server.answer = lambda _: Reply(301, headers={"Location": "/other"})
    with pytest.raises(FatalError, match=r"answered 301.*redirects to"):
        await write(server, batch("p", b"1"))
    assert len(server.asked) == 1


async def test_a_connection_that_breaks_and_an_answer_that_does_not_come_pass(server: WebServer) -> None:
    def hang_up(_: Asked) -> Reply:
        raise HangUpError

    server.answer = hang_up
    (failure,) = await write(server, batch("p", b"1"))
    assert isinstance(failure.error, RetryableError)
    release = threading.Event()
    server.answer = lambda _: Reply(204 if release.wait(30) else 500)
    (failure,) = await write(server, batch("p", b"1"), timeout="50ms")
    release.set()
    assert "did not answer in time" in failure.error.message


@pytest.mark.parametrize(("order", "most"), [("partition", 2), ("key", 3), ("none", 4), ("none", 1)])
async def test_only_what_need_not_keep_its_order_is_sent_at_once(server: WebServer, order: str, most: int) -> None:
    now, seen, lock = 0, 0, threading.Lock()
    full = threading.Event()

    def answer(_: Asked) -> Reply:
        nonlocal now, seen
        with lock:
            now += 1
            seen = max(seen, now)
            if now == most:
                full.set()
        full.wait(5)
        with lock:
            now -= 1
        return Reply(204)

    server.answer = answer
    keys = [b"a", b"b", b"c"]
    batches = [batch("p", b"1", b"2", b"3", keys=keys), batch("q", b"4", b"5", b"6", keys=keys)]
    concurrency = most if order == "none" else 10
    assert not await write(server, *batches, order=order, concurrency=concurrency)
    assert seen == most
    if order == "key":
        bodies = [asked.body for asked in server.asked]
        assert all(bodies.index(b"%d" % n) < bodies.index(b"%d" % (n + 3)) for n in (1, 2, 3))


async def test_records_go_where_their_url_says(server: WebServer) -> None:
    urls = [f"{server.url}/{name}" for name in ("a", "a", "b")]
    values = batch("p", b"1", b"2", b"3", b"4", b"5", url=[*urls, None, "file:///etc/passwd"])
    failures = await write(server, values, url={"expr": "url"}, body="array")
    assert [(asked.path, asked.body) for asked in server.asked] == [("/a", b"[1,2]"), ("/b", b"[3]")]
    assert places(failures) == [(0, 3, "sink.http.invalid_request"), (0, 4, "sink.http.invalid_request")]


async def test_a_tombstone_is_not_sent(server: WebServer) -> None:
    assert places(await write(server, batch("p", b"1", None, b"3"))) == [(0, 1, "sink.http.tombstone")]
    assert [asked.body for asked in server.asked] == [b"1", b"3"]


async def test_nobody_there_is_said_at_the_start_without_the_query() -> None:
    with WebServer(lambda _: Reply()) as gone:
        pass
    with pytest.raises(UnavailableError, match=r"sink\.http\.unreachable.*does not answer") as caught:
        await write(gone, batch("p", b"1"), url=f"{gone.url}/hook?token=s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"url": "example.com/hook"}, "$.url"),
        ({"url": "https://me:pw@example.com/"}, "$.url"),
        ({"body": "array", "format": "text"}, "$.body"),
        ({"format": {"type": "csv", "columns": ["a"]}}, "$.body"),
        ({"statuses": {"4": "ok"}}, "$.statuses"),
        ({"statuses": {"404": "ignore"}}, '$.statuses["404"]'),
        ({"signing": {"key": "short"}}, "$.signing.key"),
        ({"signing": {"key": KEY, "header": "a b"}}, "$.signing.header"),
        ({"order": "offset"}, "$.order"),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(config: dict[str, Any], path: str) -> None:
    found: list[Finding] = []
    parse(HttpSinkConfig, {"url": "https://example.com/hook", **config}, "$", found)
    assert [finding.path for finding in found] == [path]
    assert "short" not in found[0].message
