"""The documents that are measured: of one size, each with its number, and equal whoever writes them as JSON."""

import bson
import pytest
from bson import decode_all

from benchmarks import bare_mongodb, jobs, orders
from wire.clients.mongodb_json import CODECS
from wire.core.config import Secret
from wire.sources.mongodb import MongoSourceConfig
from wire.sources.mongodb.records import Shape


@pytest.mark.parametrize("number", [0, 1, 89, 90, 999_999])
def test_a_document_has_its_size_and_its_number(number: int) -> None:
    raw = orders.document(number)
    assert len(raw) == orders.DOCUMENT_BYTES
    assert bson.decode(raw)["id"] == jobs.ID_BASE + number


def test_the_bare_loop_writes_the_same_keys_and_values_as_wire() -> None:
    raw = b"".join(orders.document(number) for number in range(100))
    config = MongoSourceConfig(uri=Secret("mongodb://localhost"), database="bench", collection="orders")
    records = Shape(config).snapshot(decode_all(raw, CODECS[config.json]), "bench.orders", 0)
    by_hand = [bare_mongodb.entry(document, 0, []) for document in decode_all(raw, bare_mongodb.CODEC)]
    assert [(record.key, record.value) for record in records] == [(key, value) for key, value, _, _ in by_hand]
