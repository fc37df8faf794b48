"""Whatever is sent, within the description or outside it, is answered as described, never by a fault of the node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.api_kit import Served, serving
from tests.integration.api.conformance import DESCRIPTION
from wire.core.clock import SystemClock

SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = [
    operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())
    if "/pipelines/" not in operation.path or "/namespaces/" in operation.path  # the others are the same functions
]


def told_what_to_do(_: object, response: Any, __: schemathesis.Case) -> None:
    """Fail unless a refusal says what it is, what to do about it, and which request it was."""
    if response.status_code >= 400:
        problem = response.json()
        missing = [each for each in ("code", "detail", "hint", "request_id") if not problem[each]]
        assert not missing, f"{missing} of {problem}"


CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    told_what_to_do,
]


def called(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path}"


def takes_something(operation: Any) -> bool:
    """Whether there is anything that could be sent wrong."""
    return bool(operation.body or operation.path_parameters or operation.query or operation.headers)


class Hasty(SystemClock):
    """Time that passes at once when somebody waits: nothing is to be seen here, however long one looks."""

    passed_s = 0.0

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
        await asyncio.sleep(0)


class Background:
    """A node in a thread with a loop of its own: hypothesis knows nothing of loops."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        async with serving(self._folder, tap_clock=Hasty()) as self.served:
            self.loop, self.stopped = asyncio.get_running_loop(), asyncio.Event()
            for name in ("a", "delayed-flights"):  # of which one is the description's example
                await self.served.create(name)
            self._ready.set()
            await self.stopped.wait()

    def start(self) -> Served:
        self._thread.start()
        assert self._ready.wait(60)
        return self.served

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stopped.set)
        self._thread.join()

    def send(self, request: requests.PreparedRequest) -> httpx.Response:
        body = request.body.encode() if isinstance(request.body, str) else request.body
        sent = self.served.client.request(
            request.method or "GET", request.url or "", headers=dict(request.headers), content=body
        )
        return asyncio.run_coroutine_threadsafe(sent, self.loop).result(60)


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    node = Background(tmp_path_factory.mktemp("fuzz"))
    node.start()
    yield node
    node.stop()


def some(case: Any) -> Any:
    return settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))(case)


def check(case: schemathesis.Case, node: Background) -> None:
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://n1")).prepare()
    case.validate_response(node.send(prepared), checks=CHECKS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=called)
def test_every_answer_is_as_described(operation: Any, background: Background) -> None:
    @some
    @given(case=operation.as_strategy())
    def answered(case: schemathesis.Case) -> None:
        check(case, background)

    answered()


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if takes_something(each)], ids=called)
def test_what_the_description_forbids_is_refused(operation: Any, background: Background) -> None:
    @some
    @given(case=operation.as_strategy(GenerationMode.NEGATIVE))
    def refused(case: schemathesis.Case) -> None:
        check(case, background)

    refused()
