"""Servers that are killed and frozen under a running cluster: work goes on by itself, and nothing is missing."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.nodes.trial import FAULT_S, MARKS, Services, Trial
from tests.services.server import Server

pytestmark = [*MARKS, pytest.mark.long, pytest.mark.asyncio(loop_scope="session")]


def server(services: Services, name: str) -> Server:
    return {
        "kafka": services.kafka,
        "mongodb": services.mongodb.members[0],
        "elasticsearch": services.elasticsearch,
    }[name]


@pytest.mark.parametrize("name", ["kafka", "mongodb", "elasticsearch"])
async def test_a_server_is_killed_and_comes_back(trial: Trial, name: str) -> None:
    async with trial.going_on():
        its = server(trial.services, name)
        its.kill()
        await its.start()


@pytest.mark.parametrize("name", ["kafka", "mongodb", "elasticsearch"])
async def test_a_server_is_frozen_and_goes_on(trial: Trial, name: str) -> None:
    async with trial.going_on():
        its = server(trial.services, name)
        its.pause()
        try:
            await asyncio.sleep(FAULT_S)  # more than a request to Elasticsearch may take
        finally:
            its.resume()
