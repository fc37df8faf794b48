from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from wire.core.errors import RecordError
from wire.core.records import Batch, PartitionId, PartitionKey, Position, Record
from wire.pipelines.engine.dead_letters import DeadLetter, as_is, envelope
from wire.pipelines.engine.ledger import Ledger
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.rejecting import Rejected


def test_an_envelope_shows_text_as_text_with_where_it_came_from() -> None:
    record = Record(b'{"a":1}', b"k", 5, (("wire-error-code", b"record.decode"),), 9)
    assert json.loads(envelope(record).value or b"") == {
        "value": '{"a":1}',
        "key": "k",
        "timestamp_ms": 5,
        "headers": {"wire-error-code": "record.decode"},
    }


def test_a_tombstone_stays_one_in_its_envelope() -> None:
    assert json.loads(envelope(Record(None, None, 0, (), 0)).value or b"")["value"] is None


def test_a_header_without_a_value_stays_one_in_its_envelope() -> None:
    record = Record(b"1", None, 0, (("trace", None), ("source", b"app")), 0)
    assert json.loads(envelope(record).value or b"")["headers"] == {"trace": None, "source": "app"}


@given(st.binary(), st.binary() | st.none())
def test_the_original_bytes_can_always_be_taken_out_again(value: bytes, key: bytes | None) -> None:
    body = json.loads(envelope(Record(value, key, 0, (), 0)).value or b"")

    def original(name: str) -> bytes | None:
        if f"{name}_base64" in body:
            return base64.b64decode(body[f"{name}_base64"])
        return body[name] if body[name] is None else body[name].encode()

    assert original("value") == value
    assert original("key") == key
    assert b"\n" not in (envelope(Record(value, key, 0, (), 0)).value or b"")


def test_whatever_is_wrong_with_a_record_can_be_written_down() -> None:
    put: list[Batch] = []
    policy = DeadLetter("test", 3, Progress(), as_is, lambda ticket, source, batch, origin: put.append(batch))
    record = Record(b"\xff", None, 0, (), 7)
    origin = Batch(PartitionId("in-\udcff.jsonl"), Position(b""), [record])
    ticket = Ledger().track(PartitionKey("in", origin.partition), origin.position, 0.0, 1, 1)
    policy.reject(ticket, "in", origin, [Rejected(record, RecordError("transform.python.failed", "\ud800"))])
    headers = dict(put[0].records[0].headers)
    assert headers["wire-error-message"] == rb"\ud800"
    assert headers["wire-error-source"] == rb"in/in-\udcff.jsonl@7"
    assert (headers["wire-error-pipeline"], headers["wire-error-version"]) == (b"test", b"3")
    assert put[0].source == "in"


def test_where_versions_are_not_counted_none_is_told() -> None:
    put: list[Batch] = []
    policy = DeadLetter("test", None, Progress(), as_is, lambda ticket, source, batch, origin: put.append(batch))
    record = Record(b"1", None, 0, (), 7)
    origin = Batch(PartitionId("p"), Position(b""), [record])
    ticket = Ledger().track(PartitionKey("in", origin.partition), origin.position, 0.0, 1, 1)
    policy.reject(ticket, "in", origin, [Rejected(record, RecordError("transform.python.failed"))])
    assert "wire-error-version" not in dict(put[0].records[0].headers)
