"""Dead letters are read back as they were written, in either form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wire.core.errors import RecordError
from wire.core.letters import Letter, opened
from wire.core.records import Batch, PartitionId, PartitionKey, Position, Record
from wire.pipelines.engine.dead_letters import DeadLetter, as_is, envelope
from wire.pipelines.engine.ledger import Ledger
from wire.pipelines.engine.progress import Progress
from wire.pipelines.engine.rejecting import Rejected

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


def written(record: Record, error: RecordError, *, enveloped: bool) -> Record:
    """What the engine makes of a record that can't be processed."""
    letters: list[Batch] = []
    policy = DeadLetter(
        "p", 3, Progress(), envelope if enveloped else as_is, lambda _, __, batch, ___: letters.append(batch)
    )
    origin = Batch(PartitionId("t/0"), Position(b""), [record])
    ticket = Ledger().track(PartitionKey("s", PartitionId("t/0")), Position(b""), 0.0, 1, 1)
    policy.reject(ticket, "s", origin, [Rejected(record, error, 4)])
    return letters[0].records[0]


@given(
    value=st.none() | st.binary(max_size=30),
    key=st.none() | st.binary(max_size=10),
    headers=st.lists(st.tuples(TEXT.map("x-{}".format), TEXT.map(str.encode)), max_size=3),
    message=TEXT,
    enveloped=st.booleans(),
)
def test_what_was_written_is_read_back(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes]], message: str, enveloped: bool
) -> None:
    unique = tuple({name: (name, value) for name, value in headers}.values())
    record = Record(value, key, 1234, unique, 42)
    error = RecordError("record.decode", message or "bad", path="$.source")
    found = opened(written(record, error, enveloped=enveloped), enveloped=enveloped)
    assert found == Letter(
        record=record,
        code="record.decode",
        message=message or "bad",
        path="$.source",
        source="s/t/0@42",
        attempts=4,
        pipeline="p",
        version=3,
    )


@given(st.none() | st.binary(max_size=50), st.booleans())
def test_what_is_no_letter_is_none(value: bytes | None, enveloped: bool) -> None:
    assert opened(Record(value, None, 0, (), 0), enveloped=enveloped) is None
