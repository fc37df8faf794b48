"""One of two brokers dies: partitions and coordinators get other leaders, or there are too few replicas for a while."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.test_outages import Running, arrived, numbers, running, spec
from tests.chaos.victim import Victim
from tests.services.kafka import KafkaServer

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(900)]

DEATHS = 2
RECORDS = 8_000


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("needed", [1, 2])
async def test_work_goes_on_with_the_other_broker_or_when_there_are_enough_again(
    two_brokers: tuple[KafkaServer, KafkaServer], tmp_path: Path, delivery: str, needed: int
) -> None:
    """Of the topic that is written, so many replicas are needed: with two, nothing can be written while one is away."""
    kafka, mortal = two_brokers
    topic = await kafka.create_topic(partitions=4, replicas=2)
    out = await kafka.create_topic(partitions=4, replicas=2, config={"min.insync.replicas": str(needed)})
    await kafka.produce(topic, numbers(0, RECORDS))
    pipeline = spec(kafka, topic, out) | {"delivery": delivery, "rate_limit": "200/s"}
    async with running(Victim(tmp_path, pipeline)) as its:
        there = len(await arrived(kafka, out, 100))
        for _ in range(DEATHS):
            mortal.kill()
            if needed == 1:  # the test's own client does not find its way in time
                await writes_on(its, 500)
            else:
                while "retry" not in (line := await its.hear()) and "restarts" not in line:
                    pass
            await mortal.start()
            there = len(await arrived(kafka, out, there + 200))
        await arrived(kafka, out, RECORDS // 2)
    committed = await kafka.consume(out, isolation_level="read_committed")
    seen = Counter(json.loads(record.value)["n"] for record in committed)
    assert sorted(seen) == [*range(0, RECORDS, 2)]
    if delivery == "exactly_once":
        assert max(seen.values()) == 1


async def writes_on(its: Running, more: int) -> None:
    """Wait until it has written so many more than it says now."""
    first: int | None = None
    while True:
        if found := re.search(r"written ([\d,]+) ", await its.hear()):
            written = int(found[1].replace(",", ""))
            first = written if first is None else first
            if written >= first + more:
                return
