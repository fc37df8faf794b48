"""Asking for topics, in the version of the protocol the broker speaks."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.protocol.metadata import MetadataResponse_v5

from wire.clients.kafka_metadata import MetadataRequest, MetadataResponse_v11, brokers_of, topics_of

ID = bytes(range(16))


def newer() -> Any:
    partitions = [(0, 0, 1, 5, [1], [1], [], {}), (5, 1, -1, 5, [1], [], [1], {})]
    return MetadataResponse_v11(
        0,
        [(1, "host", 9092, None, {})],
        "cluster",
        1,
        [(0, "t", ID, False, partitions, 0, {}), (3, "gone", bytes(16), False, [], 0, {})],
        {},
    )


def older() -> Any:
    partitions = [(0, 0, 1, [1], [1], []), (5, 1, -1, [1], [], [1])]
    topics = [(0, "t", False, partitions), (3, "gone", False, [])]
    return MetadataResponse_v5(0, [(1, "host", 9092, None)], "cluster", 1, topics)


@pytest.mark.parametrize(("response", "topic_id"), [(newer(), ID), (older(), None)])
def test_both_versions_say_the_same_but_for_the_id(response: Any, topic_id: bytes | None) -> None:
    found, gone = topics_of(type(response).decode(response.encode()))
    assert (found.name, found.id, found.error, found.leaders) == ("t", topic_id, None, {0: 1, 1: None})
    assert (gone.name, gone.id, gone.error) == ("gone", None, UnknownTopicOrPartitionError)
    assert brokers_of(response).brokers == [(1, "host", 9092, None)]


@pytest.mark.parametrize(("versions", "chosen"), [((0, 13), 11), ((0, 11), 11), ((0, 9), 5)])
def test_the_newest_version_known_to_both_is_used_and_none_creates_topics(
    versions: tuple[int, int], chosen: int
) -> None:
    for topics in (["a", "b"], [], None):
        prepared = MetadataRequest(topics).prepare({3: versions})
        version = prepared.API_VERSION
        assert version == chosen
        assert prepared.allow_auto_topic_creation is False
        decoded = type(prepared).decode(prepared.encode())
        assert decoded.topics is None if topics is None else len(decoded.topics) == len(topics)
