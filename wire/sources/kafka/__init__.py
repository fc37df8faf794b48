"""Reads topics of an Apache Kafka cluster.

Wire assigns the partitions to its tasks itself and keeps the truth about progress in its own checkpoints; a consumer
group is only told, so that tools that show a group's lag work.

- `source`: `KafkaSource` and its readers. - `partition`: a partition's records on their way. - `fetcher`: keeps the
partitions filled. - `groups`: what consumer groups are told of the progress.

Invariants: what is fetched ahead is bounded (I8); a position that no longer exists is an error, never a silent reset.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

import re2

from wire.clients.kafka import KafkaConnection
from wire.core.config import MisfitError, doc
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import ComponentContext, Plugin
from wire.core.units import Size

_PATTERN_HINT = "patterns are RE2's: no look-around and no backreferences; a dot that is meant is written \\."


class KafkaSourceConfig(KafkaConnection, frozen=True, kw_only=True):
    """What to read, from where on, and how. Exactly one of `topic`, `topics` and `topic_pattern` is given."""

    topic: Annotated[str | None, doc("The topic to read.")] = None
    topics: Annotated[list[str] | None, doc("Several topics to read.")] = None
    topic_pattern: Annotated[
        str | None, doc("Reads every topic whose whole name matches this regular expression, later ones too.")
    ] = None
    group: Annotated[
        str | None,
        doc("Consumer group to which progress is published, so that lag tools see it. Wire does not join it."),
    ] = None
    start: Annotated[
        Literal["earliest", "latest", "group"] | datetime.datetime,
        doc(
            "Where to begin a partition that has no checkpoint: its first record, its end, where `group` stands (its "
            "first record if that is nowhere), or the first record at or after a time such as `2024-05-01T00:00:00Z`."
        ),
    ] = "earliest"
    isolation: Annotated[
        Literal["read_committed", "read_uncommitted"],
        doc("`read_committed` leaves out the records of transactions that were aborted and waits for open ones."),
    ] = "read_committed"
    format: Annotated[Format, doc("How the values are encoded.")] = JsonFormat()
    prefetch: Annotated[Size, doc("Bytes to fetch ahead of the pipeline, for all partitions together.")] = Size(
        16 << 20
    )

    def __post_init__(self) -> None:
        """Check how the fields go together."""
        super().__post_init__()
        if sum(given is not None for given in (self.topic, self.topics, self.topic_pattern)) != 1:
            raise MisfitError("give exactly one of `topic`, `topics` and `topic_pattern`", "as in topic: flights")
        if self.topics == []:
            raise MisfitError("`topics` is empty", "name at least one, as in [flights]")
        if self.start == "group" and self.group is None:
            raise MisfitError("`start: group` needs a `group`", "name the consumer group whose offsets to start from")
        if isinstance(self.start, datetime.datetime) and self.start.tzinfo is None:
            raise MisfitError(
                "`start`: the time has no zone", "as in 2024-05-01T00:00:00Z, or with +02:00 in the place of Z"
            )
        if self.topic_pattern is not None:
            self.pattern()

    def names(self) -> list[str] | None:
        """Return the topics given by name, None if they are given by a pattern."""
        return [self.topic] if self.topic is not None else self.topics

    def pattern(self) -> Any:
        """Return `topic_pattern`, compiled. Raises ValueError if it is not a regular expression."""
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(self.topic_pattern or "", options)
        except re2.error as exc:
            raise MisfitError(f"`topic_pattern` is not a regular expression: {exc}", _PATTERN_HINT) from None


def _build(config: KafkaSourceConfig, context: ComponentContext) -> Any:
    from wire.sources.kafka.source import KafkaSource

    return KafkaSource(config, context)


PLUGIN = Plugin(
    kind="source",
    summary="Reads topics of an Apache Kafka cluster.",
    config=KafkaSourceConfig,
    build=_build,
    extra="kafka",
    example="""\
type: kafka
config:
  bootstrap_servers: [localhost:9092]
  topic: flights
  group: wire-flights
""",
)
