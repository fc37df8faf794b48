"""What the HTTP source asks, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.services.web import Asked, HangUpError, Reply, WebServer
from wire.core.config import parse
from wire.core.errors import FatalError, Finding, RetryableError, UnavailableError
from wire.core.plugins import ComponentContext
from wire.core.ports import Reader, ReadLimit
from wire.core.records import Batch, PartitionId, Position
from wire.sources.http import HttpSourceConfig
from wire.sources.http.pages import records_of
from wire.sources.http.paging import pager
from wire.sources.http.position import HttpPosition
from wire.sources.http.source import HttpSource
from wire.testing.clock import VirtualClock

LIMIT = ReadLimit(100, 1 << 20)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer(lambda _: Reply.of([{"id": 1}, {"id": 2}])) as server:
        yield server


class Opened:
    """A source with its reader."""

    def __init__(self, source: HttpSource, reader: Reader, clock: VirtualClock) -> None:
        self.source, self.reader, self.clock = source, reader, clock

    async def read(self, limit: ReadLimit = LIMIT) -> list[bytes | None] | None:
        self.last = batch = await self.reader.read(limit)
        return None if batch is None else [record.value for record in batch.records]

    async def all(self) -> list[Any]:
        found = []
        while (values := await self.read()) is not None:
            found += [json.loads(value or b"") for value in values]
        return found

    async def __aenter__(self) -> Opened:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reader.close()
        await self.source.close()

    last: Batch | None = None


async def opened(
    server: WebServer, *, bounded: bool = True, resume: Position | None = None, path: str = "/list", **config: Any
) -> Opened:
    found: list[Finding] = []
    parsed = parse(HttpSourceConfig, {"url": f"{server.url}{path}", **config}, "$", found)
    assert not found
    clock = VirtualClock(autojump=True)
    source = HttpSource(parsed, ComponentContext("test", "http", bounded=bounded, clock=clock))
    try:
        (partition,) = await source.partitions()
        return Opened(source, await source.open(partition, resume), clock)
    except BaseException:
        await source.close()
        raise


def in_turn(*replies: Reply | None) -> Callable[[Asked], Reply]:
    left = list(replies)

    def answer(_: Asked) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        if reply is None:
            raise HangUpError
        return reply

    return answer


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        (b'[{"a":1},{"a": 2.50}]', "", [b'{"a":1}', b'{"a": 2.50}']),
        (b'{"data":{"items":[1,"x",null]},"more":3}', "data.items", [b"1", b'"x"', b"null"]),
        (b'{"data": {"t": 20}}', "data", [b'{"t": 20}']),
        (b'{"t": 20}', "", [b'{"t": 20}']),
        (b'{"data": null}', "data", []),
        (b"[]", "", []),
        (b"", "data", []),
        (b'[\n  {\n    "a": "x\\ny"\n  }\n]', "", [b'{"a":"x\\ny"}']),
    ],
)
def test_records_are_the_items_byte_for_byte_but_in_one_line(body: bytes, path: str, expected: list[bytes]) -> None:
    assert records_of(body, path.split(".") if path else []) == expected


@pytest.mark.parametrize(("body", "path"), [(b"<html>", ""), (b"[1", ""), (b'{"a":[]}', "b"), (b"7", ""), (b"[]", "a")])
def test_answers_without_records_where_they_should_be_are_refused(body: bytes, path: str) -> None:
    with pytest.raises(FatalError, match=r"source\.http\.invalid_answer.*`records`"):
        records_of(body, path.split(".") if path else [])


async def test_records_have_keys_rising_offsets_and_the_time_they_were_read(server: WebServer) -> None:
    server.answer = lambda _: Reply.of([{"id": {"n": "a"}}, {"id": {"n": 7}}, {"id": None}, 5])
    async with await opened(server, key="id.n") as source:
        await source.read()
        assert source.last is not None
        assert [record.key for record in source.last.records] == [b"a", b"7", None, None]
        assert [record.offset for record in source.last.records] == [0, 1, 2, 3]
        assert source.last.records[0].ts_ms == source.clock.now_ms()


async def test_what_is_configured_is_sent(server: WebServer) -> None:
    async with await opened(server, path="/list?a=b%20c", headers={"X-A": "b"}, auth={"bearer": "t"}) as source:
        await source.all()
        assert await source.source.partitions() == [PartitionId(f"{server.url}/list")]
    (asked,) = server.asked
    assert (asked.method, asked.query, asked.headers["x-a"], asked.headers["authorization"]) == (
        "GET", {"a": "b c"}, "b", "Bearer t"
    )  # fmt: skip


async def test_a_parameter_of_the_page_replaces_one_of_the_url(server: WebServer) -> None:
    server.answer = lambda asked: Reply.of([{"id": asked.query["p"]}] if int(asked.query["p"]) < 3 else [])
    async with await opened(server, path="/list?p=9&n=2", paging={"type": "page", "param": "p"}) as source:
        assert await source.all() == [{"id": "1"}, {"id": "2"}]
    assert [asked.query for asked in server.asked] == [{"n": "2", "p": str(page)} for page in (1, 2, 3)]


async def test_requests_keep_their_distance(server: WebServer) -> None:
    server.answer = lambda asked: Reply.of([{"id": asked.query["page"]}] if int(asked.query["page"]) < 5 else [])
    async with await opened(server, paging="page", rate=2.0) as source:
        await source.all()
        assert len(server.asked) == 5
        assert source.clock.monotonic() == 2.0


async def test_at_the_end_it_waits_for_what_is_added(server: WebServer) -> None:
    items = [1, 2]
    server.answer = lambda _: Reply.of(items if len(server.asked) < 4 else [1, 2, 3])
    async with await opened(server, bounded=False, poll="10s") as source:
        assert await source.read() == [b"1", b"2"]
        assert await source.read() == [b"3"]
        assert source.clock.monotonic() == 30


async def test_a_list_may_be_read_again_each_time(server: WebServer) -> None:
    async with await opened(server, bounded=False, poll="10s", each_poll="again") as source:
        found = [await source.read() for _ in range(4)]
        assert found == [[b'{"id": 1}', b'{"id": 2}'], [], [b'{"id": 1}', b'{"id": 2}'], []]
        assert source.last is not None
        assert HttpPosition.decode(source.last.position) == HttpPosition(offset=4)
        assert source.clock.monotonic() == 10


async def test_a_bounded_run_reads_the_list_once_and_the_next_one_again(server: WebServer) -> None:
    server.answer = lambda asked: Reply.of([{"id": asked.query["page"]}] if asked.query["page"] == "1" else [])
    resume = None
    for life in range(3):
        async with await opened(server, each_poll="again", paging="page", resume=resume) as source:
            assert await source.read() == [b'{"id": "1"}']
            assert source.last is not None
            assert source.last.records[0].offset == life
            assert await source.read() == []
            resume = source.last.position if source.last else None
            assert [await source.read(), await source.read()] == [None, None]


async def test_a_restart_asks_for_the_page_it_stopped_in(server: WebServer) -> None:
    server.answer = lambda asked: Reply.of({"data": [1, 2, 3], "next": "c2" if "c" not in asked.query else None})
    config = {"records": "data", "paging": {"type": "cursor", "field": "next", "param": "c"}}
    async with await opened(server, **config) as source:
        await source.read()
        assert await source.read(ReadLimit(1, 100)) == [b"1"]
        resume = source.last.position if source.last else None
    server.asked.clear()
    async with await opened(server, resume=resume, **config) as source:
        assert await source.all() == [2, 3]
        assert source.last is None
    assert [asked.query for asked in server.asked] == [{"c": "c2"}]


async def test_a_page_that_has_lost_what_was_read_of_it_is_an_error_not_a_gap(server: WebServer) -> None:
    resume = HttpPosition("", 3, 3).encode()
    async with await opened(server, resume=resume) as source:
        with pytest.raises(FatalError, match=r"position_lost.*had 3 records or more and has 2"):
            await source.read()


@pytest.mark.parametrize("paging", ["page", {"type": "cursor", "field": "next", "param": "c"}])
async def test_a_server_that_gives_the_same_page_for_ever_is_found_out(server: WebServer, paging: Any) -> None:
    server.answer = lambda _: Reply.of({"data": [1], "next": "c2"})
    async with await opened(server, paging=paging, records="data") as source:
        assert await source.read() == [b"1"]
        with pytest.raises(FatalError, match="same page again and again"):
            await source.read()


async def test_whoever_has_nothing_is_not_asked_on_at_once(server: WebServer) -> None:
    server.answer = lambda asked: Reply.of(
        {"data": [7] if asked.query.get("c") == "3" else [], "next": str(int(asked.query.get("c", 0)) + 1)}
    )
    config = {"records": "data", "paging": {"type": "cursor", "field": "next", "param": "c"}, "poll": "10s"}
    async with await opened(server, bounded=False, **config) as source:
        assert await source.read() == [b"7"]
        assert source.clock.monotonic() == 30


@pytest.mark.parametrize(
    "link", ["<http://127.0.0.1:1/next>; rel=next", "<//evil.example/>; rel=next", "<https://127.0.0.1/>; rel=next"]
)
async def test_a_link_to_another_server_is_not_followed(server: WebServer, link: str) -> None:
    server.answer = lambda _: Reply.of([1], Link=link)
    async with await opened(server, paging="link", auth={"bearer": "t"}) as source:
        with pytest.raises(FatalError, match=r"source\.http\.foreign_link"):
            await source.read()


def test_only_a_link_to_the_next_page_counts() -> None:
    from wire.clients.http_client import Answer
    from wire.sources.http import LinkPaging

    _, next_of = pager(LinkPaging(), "http://a/list")
    for header, expected in (
        ("<2>; rel=next", "http://a/2"),
        ('</x?p=2>;rel="prev next"', "http://a/x?p=2"),
        ('<1>; rel="prev", <3>; REL="NEXT"', "http://a/3"),
        ('<2>; rel="nextish"', None),
        ('<2>; title="rel=next"', None),
        ("", None),
    ):
        assert next_of("", Answer(200, {"link": header}, b"[]", cut=False), 1) == expected


# trouble


@pytest.mark.parametrize("reply", [Reply(503, b"later", {"Retry-After": "7"}), Reply(429, b"later"), None])
async def test_what_passes_is_read_again_from_the_same_place(server: WebServer, reply: Reply | None) -> None:
    server.answer = in_turn(reply, Reply.of([1]))
    async with await opened(server) as source:
        with pytest.raises(RetryableError) as caught:
            await source.read()
        assert caught.value.code == ("source.http.busy" if reply else "source.http.unreachable")
        assert caught.value.after_s == (7 if reply and reply.headers else 0)
        assert await source.all() == [1]


@pytest.mark.parametrize(
    ("reply", "config", "message"),
    [
        (Reply(401), {}, r"refused.*answered 401.*check `auth`"),
        (Reply(404, b"no such list"), {}, r"refused.*answered 404: no such list.*check `url`"),
        (Reply(302, headers={"Location": "/"}), {}, r"refused.*answered 302"),
        (Reply(200, b"[%s]" % (b"1," * 1000 + b"1")), {"max_page": "1KiB"}, r"page_too_large.*`max_page`"),
        (Reply.of({"next": {}}), {"paging": {"type": "cursor", "field": "next"}}, r"invalid_answer.*`paging.field`"),
    ],
)
async def test_what_does_not_pass_stops(server: WebServer, reply: Reply, config: Any, message: str) -> None:
    server.answer = lambda _: reply
    async with await opened(server, path="/list?key=s3cret", **config) as source:
        with pytest.raises(FatalError, match=message) as caught:
            await source.read()
        assert "s3cret" not in str(caught.value)


async def test_a_cursor_that_is_refused_may_have_expired(server: WebServer) -> None:
    server.answer = lambda _: Reply(410)
    config = {"paging": {"type": "cursor", "field": "next", "param": "c"}}
    async with await opened(server, resume=HttpPosition("c7", 1, 8).encode(), **config) as source:
        with pytest.raises(FatalError, match="--reset"):
            await source.read()


async def test_a_position_of_another_source_is_refused(server: WebServer) -> None:
    with pytest.raises(FatalError, match=r"source\.http\.position_invalid"):
        await opened(server, resume=Position(b"\xc1"))


async def test_nobody_there_is_said_at_the_start() -> None:
    with WebServer(lambda _: Reply()) as gone:
        pass
    with pytest.raises(UnavailableError, match=r"source\.http\.unreachable.*does not answer"):
        await opened(gone)


async def test_a_server_that_comes_back_is_read_on(server: WebServer) -> None:
    async with await opened(server, bounded=False, poll="1s") as source:
        assert await source.read() == [b'{"id": 1}', b'{"id": 2}']
        server.close()
        with pytest.raises(RetryableError):
            await source.read()
        server.answer = lambda _: Reply.of([{"id": 1}, {"id": 2}, {"id": 3}])
        server.start()
        assert await source.read() == [b'{"id": 3}']


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"url": "/api/orders"}, "$.url"),
        ({"url": "https://u:p@example.com/"}, "$.url"),
        ({"rate": 0}, "$.rate"),
        ({"paging": "cursor"}, "$.paging.field"),
        ({"paging": "pages"}, "$.paging"),
        ({"each_poll": "stop"}, "$.each_poll"),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(config: dict[str, Any], path: str) -> None:
    found: list[Finding] = []
    parse(HttpSourceConfig, {"url": "https://example.com/list", **config}, "$", found)
    assert [finding.path for finding in found] == [path]
