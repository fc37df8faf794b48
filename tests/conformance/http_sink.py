"""Harnesses of the `http` sink: a real web server that keeps what it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import ClassVar, Literal

import pytest

from tests.services.web import Asked, Reply, WebServer
from wire.core.plugins import ComponentContext
from wire.core.ports import Sink
from wire.sinks.http import HttpSinkConfig
from wire.sinks.http.sink import HttpSink
from wire.testing.harness import BreakableSinkHarness, RefusingSinkHarness

REFUSED = b'{"refused": true}'


class Http(RefusingSinkHarness, BreakableSinkHarness):
    seeds = range(3)
    body: ClassVar[Literal["record", "array", "lines"]] = "record"

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.kept: list[bytes] = []
        self.lock = threading.Lock()
        self.server = WebServer(self.answer)
        request.addfinalizer(self.server.close)

    def answer(self, asked: Asked) -> Reply:
        values = self.values(asked.body)
        if REFUSED in values:
            return Reply(422)
        with self.lock:
            self.kept += values
        return Reply(204)

    def values(self, body: bytes) -> list[bytes]:
        return [body]

    def sink(self) -> Sink:
        config = HttpSinkConfig(url=f"{self.server.url}/hook", body=self.body, max_records=7)
        return HttpSink(config, ComponentContext("conformance", "http"))

    async def read_back(self) -> Sequence[bytes]:
        with self.lock:
            return list(self.kept)

    def refused(self) -> bytes:
        return REFUSED

    async def take_away(self) -> None:
        self.server.close()

    async def bring_back(self) -> None:
        self.server.start()


class HttpArray(Http):
    body = "array"

    def values(self, body: bytes) -> list[bytes]:
        assert isinstance(json.loads(body), list)
        return [b"{" + part.strip(b"{},") + b"}" for part in body[1:-1].split(b"},{")]


class HttpLines(Http):
    body = "lines"

    def values(self, body: bytes) -> list[bytes]:
        return body.splitlines()


HTTP_SINKS = (Http, HttpArray, HttpLines)
