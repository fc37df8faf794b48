"""Writes documents to collections of MongoDB.

- `sink`: connects and checks. - `operations`: from records to operations. - `chains`: which operation of an id is next.
- `bulk`: has operations carried out, and says what became of each. - `writer`: the three of them together.

Invariants: a write returns only when a majority of the replica set has every record in its journal, or the record has a
verdict (I2); the operations on one id are carried out one after the other, in the order of their records.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from wire.clients.mongodb import MongoConnection
from wire.core.config import ByRecord, Expression, doc
from wire.core.plugins import ComponentContext, Plugin


class MongoSinkConfig(MongoConnection, frozen=True, kw_only=True):
    """Where to write, and how.

    Every write waits until a majority of the replica set has it in its journal.

    Values are JSON objects; Extended JSON in them (`{"$oid": …}`, `{"$date": …}`, …) becomes the BSON type it stands
    for, so that what the `mongodb` source reads arrives as it was. A record without a value deletes. Of several records
    with one id in a batch, those that a later one makes void are left out and counted as `superseded`.
    """

    database: Annotated[str, Meta(min_length=1, description="The database to write to.")]
    collection: Annotated[
        str | ByRecord, doc("The collection to write to. Where it is missing, MongoDB makes it with the first record.")
    ]
    id: Annotated[
        Expression | None,
        doc(
            "The document's `_id`. Without it: the record's key (as the `mongodb` source writes it, else as text); for "
            "a record without key the `_id` in its value; without that, what names the record in its source, so that "
            "a repeated write changes nothing. A record without value has no fields to compute an id from, only a "
            "key: `meta_key()`."
        ),
    ] = None
    op: Annotated[
        Literal["replace", "merge", "insert", "delete"] | ByRecord,
        doc(
            "What a record does. `replace`: its document takes the place of the one with its id. `merge`: its fields "
            "are set, others stay. Both add the document if there is none. `insert`: adds it, unless there is one "
            "with its id: that counts as `replayed`. `delete`: removes the one with its id; so does every record "
            "without a value."
        ),
    ] = "replace"
    max_collections: Annotated[
        int,
        Meta(ge=1, description="How many collections a run may write to; records for more go to the dead letters."),
    ] = 100


def _build(config: MongoSinkConfig, context: ComponentContext) -> Any:
    from wire.sinks.mongodb.sink import MongoSink

    return MongoSink(config)


PLUGIN = Plugin(
    kind="sink",
    summary="Writes documents to collections of MongoDB: inserts, replaces, merges and deletes by id.",
    config=MongoSinkConfig,
    build=_build,
    extra="mongodb",
    example="""\
type: mongodb
config:
  uri: ${env:MONGODB_URI}
  database: travel
  collection: flights
""",
)
