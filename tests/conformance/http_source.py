"""Harnesses of the `http` source: a real web server with a list that grows, in pages of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from tests.services.web import Asked, Reply, WebServer
from wire.core.plugins import ComponentContext
from wire.core.ports import Source
from wire.core.records import PartitionId
from wire.core.units import Duration
from wire.sources.http import CursorPaging, HttpSourceConfig, LinkPaging, NoPaging, PagePaging, Paging
from wire.sources.http.source import HttpSource
from wire.testing.harness import SourceHarness

SIZE = 4


class Cursor(SourceHarness):
    seeds = range(2)
    paging: ClassVar[Paging] = CursorPaging(field="meta.next", param="after")

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.items: list[bytes] = []
        self.server = WebServer(self.answer)
        request.addfinalizer(self.server.close)

    def answer(self, asked: Asked) -> Reply:
        start = int(asked.query.get("after", 0))
        following = start + SIZE if start + SIZE < len(self.items) else None
        return self.reply(start, b"null" if following is None else b"%d" % following)

    def reply(self, start: int, following: bytes, **headers: str) -> Reply:
        items = b", ".join(self.items[start : start + SIZE])
        return Reply(200, b'{"meta": {"next": %b}, "data": {"items": [%b]}}' % (following, items), headers)

    async def fill(self, values: Sequence[Sequence[bytes]]) -> Mapping[PartitionId, Sequence[bytes]]:
        self.items = [value for each in values for value in each]
        return {PartitionId(f"{self.server.url}/items"): list(self.items)}

    async def append(self, partition: PartitionId, values: Sequence[bytes]) -> Sequence[bytes]:
        self.items += values
        return values

    def source(self, *, bounded: bool) -> Source:
        return self.source_of("items?limit=4", bounded=bounded)

    def elsewhere(self) -> Source:
        return self.source_of("others", bounded=True)

    def source_of(self, path: str, *, bounded: bool) -> Source:
        config = HttpSourceConfig(
            url=f"{self.server.url}/{path}", records="data.items", paging=self.paging, poll=Duration(5)
        )
        return HttpSource(config, ComponentContext("conformance", "http", bounded=bounded))


class CursorUrl(Cursor):
    paging = CursorPaging(field="meta.next")

    def answer(self, asked: Asked) -> Reply:
        start = int(asked.query.get("from", 0))
        more = start + SIZE < len(self.items)
        return self.reply(start, b'"/items?from=%d"' % (start + SIZE) if more else b'""')


class Link(Cursor):
    paging = LinkPaging()

    def answer(self, asked: Asked) -> Reply:
        start = int(asked.query.get("from", 0))
        links = ['<items?from=0>; rel="first"']
        if start + SIZE < len(self.items):
            links.append(f'<{self.server.url}/items?from={start + SIZE}>; title="a, b"; rel="last next"')
        return self.reply(start, b"0", Link=", ".join(links))


class Numbered(Cursor):
    paging = PagePaging(param="p", first=0)

    def answer(self, asked: Asked) -> Reply:
        return self.reply(SIZE * int(asked.query["p"]), b"0")


class Whole(Cursor):
    paging = NoPaging()

    def answer(self, asked: Asked) -> Reply:
        return Reply(200, b'{"data": {"items": [%b]}}' % b",\n".join(self.items))


HTTP_SOURCES = (Cursor, CursorUrl, Link, Numbered, Whole)
