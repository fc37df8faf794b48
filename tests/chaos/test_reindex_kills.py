"""kill -9 of `wire run` that moves an index into a collection: in the end both hold the same documents.

`WIRE_CHAOS_KILLS` says how often it is killed, `WIRE_CHAOS_SEED` repeats a run.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.chaos.victim import Victim, growth
from tests.conformance.elasticsearch_source import bulk
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.mongodb_client import MongoDB

KILLS = int(os.environ.get("WIRE_CHAOS_KILLS", "4"))
SEED = int(os.environ.get("WIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
DOCUMENTS = 16_000 * KILLS

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.elasticsearch,
    pytest.mark.mongodb,
    pytest.mark.timeout(900),
]


async def test_elasticsearch_to_mongodb_has_every_document(
    elasticsearch: Elasticsearch, mongodb: MongoDB, tmp_path: Path
) -> None:
    print(f"WIRE_CHAOS_SEED={SEED}")
    rng = random.Random(SEED)
    index = await elasticsearch.create_index({"dynamic": False}, {"number_of_shards": 2})
    for start in range(0, DOCUMENTS, 4_000):
        lines = (b'{"index":{"_id":"d%d"}}\n{"n":%d}\n' % (n, n) for n in range(start, start + 4_000))
        await bulk(elasticsearch, f"/{index}/_bulk", b"".join(lines))
    async with mongodb.database() as database:
        victim = Victim(
            tmp_path,
            {
                "name": "victim",
                "source": {"type": "elasticsearch", "config": {"url": elasticsearch.url, "index": index}},
                "sink": {
                    "type": "mongodb",
                    "config": {"uri": mongodb.uri, "database": database.name, "collection": "docs"},
                },
                "batch": {"max_records": 20},  # small, so that there is still work when the last kill comes
                "checkpoint": {"interval": "100ms"},
            },
        )
        for _ in range(KILLS):
            await victim.run_and_kill(rng, lambda: growth(tmp_path / "state"))
        await victim.run_to_the_end()
        found = {document["_id"]: document["n"] async for document in database["docs"].find()}
    assert found == {f"d{n}": n for n in range(DOCUMENTS)}
    assert victim.kills == KILLS
