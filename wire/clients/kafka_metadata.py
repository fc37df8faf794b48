"""Which topics there are, where their partitions' leaders are, and which incarnation of a topic this is.

aiokafka asks in a version of the protocol that knows no topic ids, and lets the broker create what it asks for. Ids
(KIP-516) tell a topic from one of the same name that was created later, so the request is made here.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final, TypeAlias

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5, MetadataResponse_v5
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from msgspec import Struct

# The library comes without type information, which is why mypy can't see what the protocol's classes inherit from;
# their names are the protocol's own.
_METADATA: Final = 3
_NO_LEADER: Final = -1


class Topic(Struct, frozen=True):
    """One topic as a broker described it.

    `id` is 16 bytes and new with every creation of the topic; None from brokers before 2.8. `leaders` maps every
    partition to the node that leads it, None while none does. `error` is None, or why the topic can't be used.
    """

    name: str
    id: bytes | None
    internal: bool
    error: type[KafkaError] | None
    leaders: dict[int, int | None]


class Uuid(AbstractType[bytes]):  # type: ignore[misc] # untyped base
    """Sixteen bytes, as they are."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:  # noqa: D102 (contract in AbstractType)
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:  # noqa: D102 (contract in AbstractType)
        return data.read(16)


_String: Final = CompactString("utf-8")
_Tags: Final = ("tags", TaggedFields)


class MetadataResponse_v11(Response):  # type: ignore[misc] # untyped base # noqa: N801 (as aiokafka names its own)
    """The first answer with topic ids that leaves out the cluster's rights (Kafka 2.8)."""

    API_KEY = _METADATA
    API_VERSION = 11
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _String), ("port", Int32), ("rack", _String), _Tags)),
        ("cluster_id", _String),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _String),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _Tags,
                    ),
                ),
                ("authorized_operations", Int32),
                _Tags,
            ),
        ),
        _Tags,
    )


class MetadataRequest_v11(RequestStruct):  # type: ignore[misc] # untyped base # noqa: N801 (see above)
    """Names topics by name; null for all of them."""

    API_KEY = _METADATA
    API_VERSION = 11
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = MetadataResponse_v11
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("topic", _String), _Tags)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _Tags,
    )


_Versions: TypeAlias = MetadataRequest_v5 | MetadataRequest_v11


class MetadataRequest(Request[_Versions]):  # type: ignore[misc] # untyped base
    """Asks for some topics or, with None, for all; never makes the broker create one."""

    API_KEY = _METADATA

    def __init__(self, topics: list[str] | None) -> None:
        """Ask for these topics."""
        self._topics = topics

    def build(self, request_struct_class: type[_Versions]) -> _Versions:  # noqa: D102 (contract in Request)
        if request_struct_class is MetadataRequest_v5:
            return MetadataRequest_v5(self._topics, False)
        named: list[Any] | None = None if self._topics is None else [(bytes(16), topic, {}) for topic in self._topics]
        return MetadataRequest_v11(named, False, False, {})


def topics_of(response: Any) -> list[Topic]:
    """Return the topics in an answer of either version."""
    return [_topic(response.API_VERSION, entry) for entry in response.topics]


def brokers_of(response: Any) -> MetadataResponse_v5:
    """Return the brokers in an answer, in the form in which aiokafka's cluster state takes them."""
    brokers = [broker[:4] for broker in response.brokers]
    return MetadataResponse_v5(0, brokers, response.cluster_id, response.controller_id, [])


def _topic(version: int, entry: tuple[Any, ...]) -> Topic:
    if version >= 11:
        code, name, topic_id, internal, partitions, *_ = entry
    else:
        code, name, internal, partitions = entry
        topic_id = None
    # error code, partition and leader come first in both versions, but the newer has the leader's epoch behind them
    leaders = {row[1]: None if row[2] == _NO_LEADER else row[2] for row in partitions}
    # an unknown topic comes with an id of zeros, which is no id
    return Topic(
        name, topic_id if topic_id and any(topic_id) else None, internal, for_code(code) if code else None, leaders
    )
