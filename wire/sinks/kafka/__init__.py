"""Writes records to topics of an Apache Kafka cluster.

- `sink`: connects and checks. - `writer`: decides where each record goes and what becomes of it. - `producer`: gets
batches acknowledged by all replicas, in order and without duplicates of its own, under the identity of a `session`.
- `partitioner`: Kafka's own mapping from key to partition. - `exactly_once`: records and progress in one `transaction`
of a task's `starts`, the progress as rows of a topic (`positions`).

Invariants: a write returns only when every record is on all in-sync replicas or has a verdict (I2); the records of one
target partition keep their order through retries, moved leaders and restarted brokers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from wire.clients.kafka import KafkaConnection
from wire.core.config import ByRecord, Config, Expression, MisfitError, doc
from wire.core.formats import Format, JsonFormat, RawFormat
from wire.core.plugins import ComponentContext, Plugin, ReadBack
from wire.core.units import Duration, Size

_LONGEST = Duration(10_000)


class Transactions(Config, frozen=True, kw_only=True):
    """The transactions of `delivery: exactly_once`."""

    topic: Annotated[
        str,
        doc(
            "The compacted topic on the same cluster that says how far pipelines are. It is made where it is not there."
        ),
    ] = "wire-positions"
    interval: Annotated[
        Duration,
        doc("How long a transaction is: nobody who reads only what is committed sees a record before its end."),
    ] = Duration(100)
    max_bytes: Annotated[Size, doc("A transaction ends earlier once it has so many bytes of record values.")] = Size(
        16 << 20
    )

    def __post_init__(self) -> None:
        if self.interval > _LONGEST:
            raise MisfitError(f"`interval` is longer than {_LONGEST}", "brokers end what is open for half a minute")


class KafkaSinkConfig(KafkaConnection, frozen=True, kw_only=True):
    """Where to write, and how. Every write is acknowledged by all in-sync replicas."""

    topic: Annotated[str | ByRecord, doc("The topic to write to. It must exist: Wire creates none.")]
    key: Annotated[
        Expression | None, doc("The key to write: text as UTF-8, NULL for no key. Without it the record keeps its own.")
    ] = None
    partition: Annotated[
        Expression | None,
        doc("The partition's number. Without it, or where it is NULL, Kafka's own mapping from the key decides."),
    ] = None
    timestamp: Annotated[
        Literal["record", "now"],
        doc(
            "Stamp with the record's event time, or with the time of writing. Kafka deletes by this time: records "
            "older than the topic's `retention.ms` are gone minutes after they arrive, so write history with `now`."
        ),
    ] = "record"
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], doc("Compression of record batches; `zstd` is a good choice.")
    ] = "none"
    max_request_size: Annotated[
        Size,
        doc(
            "The largest record batch to send, and so the largest record; at most what the topic takes "
            "(`max.message.bytes`). A record that does not fit goes to the dead letters."
        ),
    ] = Size(1 << 20)
    transactions: Annotated[Transactions, doc("How `delivery: exactly_once` is kept; of no effect without it.")] = (
        Transactions()
    )
    format: Annotated[Format, doc("How values are encoded.")] = JsonFormat()


def _build(config: KafkaSinkConfig, context: ComponentContext) -> Any:
    from wire.sinks.kafka.sink import KafkaSink

    if context.shared is None:
        return KafkaSink(config, context)
    from wire.sinks.kafka.exactly_once import ExactlyOnceKafkaSink, KafkaTransactions

    key = (KafkaTransactions, tuple(config.servers), config.security, config.transactions)
    if context.dead_letter and key not in context.shared:
        return KafkaSink(config, context)
    transactions = context.shared.setdefault(key, KafkaTransactions(config, context.clock))
    return ExactlyOnceKafkaSink(config, context, transactions)


def _read_back(config: KafkaSinkConfig) -> ReadBack:
    connection = {name: getattr(config, name) for name in KafkaConnection.__struct_fields__}
    return ReadBack("kafka", {**connection, "topic": config.topic, "format": RawFormat()}, enveloped=False)


PLUGIN = Plugin(
    kind="sink",
    summary="Writes records to topics of an Apache Kafka cluster.",
    config=KafkaSinkConfig,
    build=_build,
    extra="kafka",
    read_back=_read_back,
    example="""\
type: kafka
config:
  bootstrap_servers: [localhost:9092]
  topic: delayed-flights
  key: carrier
""",
)
