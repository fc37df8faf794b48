"""Taps over HTTP: what is refused, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from tests.integration.api.api_kit import Served
from tests.waiting import comes_true
from wire.node.listener.http import HttpServer
from wire.node.listener.listener import listening
from wire.node.tapping import MOST_TAPS

TAP = "/api/v1/pipelines/a/tap"


async def test_a_pipeline_that_is_not_there_can_not_be_tapped(api: Served) -> None:
    response = await api.client.get(TAP)
    assert (response.status_code, response.json()["code"]) == (404, "cluster.unknown_pipeline")


@pytest.mark.parametrize("query", ["records=0", "records=1001", "records=x", "seconds=0", "seconds=301", "second=1"])
async def test_more_than_is_allowed_is_refused(query: str, api: Served) -> None:
    await api.create()
    response = await api.client.get(f"{TAP}?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "api.invalid")


async def test_a_tap_of_a_pipeline_of_which_nothing_runs_ends_in_time_with_nothing(api: Served) -> None:
    await api.create()
    response = await api.client.get(f"{TAP}?seconds=0.1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text == ""


@pytest.fixture
async def clients(api: Served) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """Makes clients that speak with the node over connections of their own."""
    async with listening("127.0.0.1:0", HttpServer(api.app), tls=None) as listener:
        yield lambda: httpx.AsyncClient(base_url=f"http://{listener.addresses[0]}", timeout=60, trust_env=False)


async def test_only_so_many_tap_at_once_and_who_goes_makes_room(
    api: Served, clients: Callable[[], httpx.AsyncClient]
) -> None:
    await api.create()

    async def refused() -> bool:
        async with clients() as client, client.stream("GET", f"{TAP}?seconds=0.1") as response:
            if response.status_code == 200:
                return False
            await response.aread()
            assert (response.status_code, response.json()["code"]) == (429, "api.too_many_taps")
            return True

    async def tap() -> None:
        async with clients() as client:
            await client.get(f"{TAP}?seconds=300")

    async with asyncio.TaskGroup() as tasks:
        tapping = [tasks.create_task(tap()) for _ in range(MOST_TAPS)]
        await comes_true(refused)
        tapping[0].cancel()  # its connection is closed

        async def taken() -> bool:
            return not await refused()

        await comes_true(taken)
        for each in tapping:
            each.cancel()
