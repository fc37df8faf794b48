"""The Elasticsearch sink against real nodes: what arrives, which version stays, and the verdicts on what can't be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import run
from tests.integration.elasticsearch_kit import doc, elasticsearch_writer, keyed, plain, verdicts
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.kafka_client import KafkaCluster
from wire.core.errors import FatalError, RecordError, RetryableError
from wire.core.records import PartitionId

pytestmark = pytest.mark.elasticsearch

KEY = {"id": "meta_key()"}


async def versions(cluster: Elasticsearch, index: str) -> dict[str, int]:
    return {hit["_id"]: hit["_version"] for hit in await cluster.hits(index)}


# what arrives


async def test_every_record_is_a_document_of_its_own_named_after_its_place(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index) as writer:
        for _ in range(2):
            assert not await writer.write([plain(doc(b'{"n":1}', offset=7), doc(b'{"n":2}', offset=8))])
    assert await elasticsearch_any.documents(index) == {"s/p/0/7": {"n": 1}, "s/p/0/8": {"n": 2}}


async def test_parts_of_an_exploded_record_have_ids_of_their_own(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    parts = [doc(b'{"n":%d}' % n, offset=7) for n in range(3)]
    for n, part in enumerate(parts):
        part.ordinal = n
    async with elasticsearch_writer(elasticsearch.url, index=index) as writer:
        assert not await writer.write([plain(*parts)])
    assert (await elasticsearch.documents(index)).keys() == {"s/p/0/7", "s/p/0/7/1", "s/p/0/7/2"}


async def test_a_partition_with_a_name_longer_than_an_id_may_be(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    batches = [plain(doc(b"{}")), plain(doc(b"{}"))]
    for n, batch in enumerate(batches):
        batch.partition = PartitionId(f"{'x' * 600}/{n}")
    async with elasticsearch_writer(elasticsearch.url, index=index) as writer:
        assert not await writer.write(batches)
    assert len(await elasticsearch.documents(index)) == 2


async def test_documents_are_taken_as_they_are(elasticsearch: Elasticsearch) -> None:
    index = await elasticsearch.create_index({"dynamic": False})
    values = [
        b'{\n  "a": 1.0,\r\n  "b": [1,\n2]\n}',
        b'{"big":123456789012345678901234567890,"e":1e2}',
        '{"ä":"\\n"}'.encode(),
    ]
    async with elasticsearch_writer(elasticsearch.url, index=index) as writer:
        assert not await writer.write([plain(*(doc(value, offset=n) for n, value in enumerate(values)))])
    documents = await elasticsearch.documents(index)
    assert [documents[f"s/p/0/{n}"] for n in range(3)] == [json.loads(value) for value in values]


async def test_compressed_in_several_requests(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    records = [doc(b'{"n":%d,"text":"%b"}' % (n, b"x" * 300), offset=n) for n in range(200)]
    config = {"index": index, "compression": "gzip", "max_request_size": "20KiB"}
    async with elasticsearch_writer(elasticsearch_any.url, **config) as writer:
        assert not await writer.write([plain(*records)])
    assert len(await elasticsearch_any.documents(index)) == 200


# operations


async def test_created_once(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index, op="create", **KEY) as writer:
        assert writer.max_in_flight == 1
        for n in range(3):
            assert not await writer.write([keyed(doc(b'{"n":%d}' % n, b"k", n))])
        assert writer.counts == {"replayed": 2, "superseded": 0}
        assert verdicts(await writer.write([keyed(doc(None, b"k", 9))])) == [(0, "sink.elasticsearch.tombstone")]
    assert await elasticsearch_any.documents(index) == {"k": {"n": 0}}


async def test_updates_merge_and_a_broken_one_stands_alone(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index=index, op="update", **KEY) as writer:
        assert writer.max_in_flight == 1
        assert not await writer.write([keyed(doc(b'{"a":1}', b"k"), doc(b'{"b":2}', b"k"), doc(b"{}", b"gone"))])
        records = [doc(b'{"c":3}', b"k"), doc(b'{"c":', b"k"), doc(b'{"d":4}', b"k"), doc(None, b"gone")]
        failures = await writer.write([keyed(*records)])
        assert verdicts(failures) == [(1, "sink.elasticsearch.refused")]
    assert await elasticsearch_any.documents(index) == {"k": {"a": 1, "b": 2, "c": 3, "d": 4}}


async def test_the_operation_by_record(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    ops = ["index", "create", "update", "delete", "upsert", None]
    records = [doc(b'{"op":"%d"}' % n, b"%d" % n, n) for n in range(6)]
    async with elasticsearch_writer(elasticsearch.url, index=index, op={"expr": "op"}, **KEY) as writer:
        assert writer.max_in_flight == 1
        assert not await writer.write([keyed(doc(b"{}", b"3", 0), op=["index"])])
        failures = await writer.write([keyed(*records, op=ops)])
        assert verdicts(failures) == [(n, "sink.elasticsearch.invalid_operation") for n in (4, 5)]
    assert (await elasticsearch.documents(index)).keys() == {"0", "1", "2"}


async def test_a_data_stream_gets_creations_with_a_time(elasticsearch_any: Elasticsearch) -> None:
    name = elasticsearch_any.new_name()
    body = {"index_patterns": [name], "data_stream": {}, "template": {"mappings": {"dynamic": False}}}
    config = {"index": name, "data_stream": True, "template": {"name": name, "body": body}}
    values = [b'{"n":1}', b'{"@timestamp":5,"n":2}', b'{ "sub": {"@timestamp": 6} }', b"{}"]
    bad = [b'{"@timestamp":"yesterday"}', b"[]"]
    records = [doc(value, offset=n) for n, value in enumerate([*values, *bad])]
    async with elasticsearch_writer(elasticsearch_any.url, **config) as writer:
        for _ in range(2):
            failures = await writer.write([plain(*records)])
            assert verdicts(failures) == [(n, "sink.elasticsearch.refused") for n in (4, 5)]
        assert writer.counts == {"replayed": 4, "superseded": 0}
    hits = await elasticsearch_any.hits(name)
    assert {hit["_id"]: hit["_source"].get("@timestamp") for hit in hits} == {
        "s/p/0/0": 1_700_000_000_000,
        "s/p/0/1": 5,
        "s/p/0/2": 1_700_000_000_000,
        "s/p/0/3": 1_700_000_000_000,
    }
    assert all(hit["_index"].startswith(f".ds-{name}-") for hit in hits)


async def test_a_data_stream_takes_a_write_again_after_a_rollover(elasticsearch_any: Elasticsearch) -> None:
    name = elasticsearch_any.new_name()
    template = {"name": name, "body": {"index_patterns": [name], "data_stream": {}}}
    async with elasticsearch_writer(elasticsearch_any.url, index=name, data_stream=True, template=template) as writer:
        assert not await writer.write([plain(doc(b"{}", offset=0))])
        await elasticsearch_any.request("POST", f"/{name}/_rollover")
        assert not await writer.write([plain(doc(b"{}", offset=1))])
    hits = await elasticsearch_any.hits(name)
    assert len({hit["_index"] for hit in hits}) == 2
    assert {hit["_id"] for hit in hits} == {"s/p/0/0", "s/p/0/1"}


async def test_a_data_stream_that_is_none_is_waited_for(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    async with elasticsearch_writer(elasticsearch.url, index=index, data_stream=True) as writer:
        (failure,) = await writer.write([plain(doc(b"{}"))])
        assert failure.error.code == "sink.elasticsearch.missing_index"
        assert isinstance(failure.error, RetryableError)
    assert not await elasticsearch.documents(index)


# indices


async def test_indices_by_record_are_bounded(elasticsearch_any: Elasticsearch) -> None:
    names = [elasticsearch_any.new_name() for _ in range(3)]
    async with elasticsearch_writer(elasticsearch_any.url, index={"expr": "i"}, max_indices=2) as writer:
        records = [doc(b"{}", offset=n) for n in range(7)]
        index = [names[0], names[1], names[2], None, 5, "", names[0]]
        failures = await writer.write([plain(*records, index=index)])
        assert verdicts(failures) == [
            (2, "sink.elasticsearch.too_many_indices"),
            *((n, "sink.elasticsearch.invalid_index") for n in (3, 4, 5)),
        ]
    assert [len(await elasticsearch_any.documents(name)) for name in names] == [2, 1, 0]


async def test_a_name_no_index_may_have_concerns_its_record_alone(elasticsearch_any: Elasticsearch) -> None:
    name = elasticsearch_any.new_name()
    async with elasticsearch_writer(elasticsearch_any.url, index={"expr": "i"}) as writer:
        records = [doc(b"{}", offset=n) for n in range(4)]
        failures = await writer.write([plain(*records, index=["Upper", name, "a b", "..\ud800"])])
        assert [place for place, _ in verdicts(failures)] == [0, 2, 3]
        assert all(isinstance(failure.error, RecordError) for failure in failures)
    assert len(await elasticsearch_any.documents(name)) == 1


async def test_a_template_is_applied_before_the_first_document(elasticsearch_any: Elasticsearch) -> None:
    index = elasticsearch_any.new_name()
    mappings = {"properties": {"n": {"type": "keyword"}}}
    template = {"name": index, "body": {"index_patterns": [index], "template": {"mappings": mappings}}}
    async with elasticsearch_writer(elasticsearch_any.url, index=index, template=template) as writer:
        assert not await writer.write([plain(doc(b'{"n":1}'))])
    found = await elasticsearch_any.request("GET", f"/{index}/_mapping")
    await elasticsearch_any.request("DELETE", f"/_index_template/{index}")
    assert found[index]["mappings"] == mappings


async def test_a_template_that_is_wrong_stops_the_start(elasticsearch: Elasticsearch) -> None:
    template = {"name": elasticsearch.new_name(), "body": {"index_pattern": ["x"]}}
    with pytest.raises(FatalError) as caught:
        async with elasticsearch_writer(elasticsearch.url, index="x", template=template):
            pass
    assert caught.value.code == "sink.elasticsearch.rejected"
    assert "index_pattern" in caught.value.message


# verdicts on documents


async def test_unmappable_fields_are_refused_with_the_reason(elasticsearch_any: Elasticsearch) -> None:
    index = await elasticsearch_any.create_index({"properties": {"n": {"type": "long"}}})
    values = [b'{"n":1}', b'{"n":"five"}', b'{"n":2}', b"{", b"7", b"", b" ", b"\xff", b'{"n":3}']
    async with elasticsearch_writer(elasticsearch_any.url, index=index) as writer:
        failures = await writer.write([plain(*(doc(value, offset=n) for n, value in enumerate(values)))])
    assert [place for place, _ in verdicts(failures)] == [1, 3, 4, 5, 6, 7]
    assert {failure.error.code for failure in failures} == {"sink.elasticsearch.refused"}
    assert "failed to parse field [n] of type [long]" in failures[0].error.message
    assert 'For input string: "five"' in failures[0].error.message
    assert len(await elasticsearch_any.documents(index)) == 3


async def test_more_fields_than_the_index_may_have(elasticsearch_any: Elasticsearch) -> None:
    index = await elasticsearch_any.create_index(settings={"index.mapping.total_fields.limit": 5})
    many = json.dumps({f"f{n}": n for n in range(9)}).encode()
    async with elasticsearch_writer(elasticsearch_any.url, index=index) as writer:
        (failure,) = await writer.write([plain(doc(many), doc(b'{"a":1}', offset=1))])
    assert (failure.record, failure.error.code) == (0, "sink.elasticsearch.refused")
    assert "Limit of total fields [5]" in failure.error.message
    assert failure.error.hint


async def test_ids_that_can_not_be(elasticsearch: Elasticsearch) -> None:
    index = elasticsearch.new_name()
    ids = [None, "", "x" * 513, "é" * 257, "\ud800", "é" * 256, '"quoted"\n', 5, [1, 2]]
    records = [doc(b"{}", b"k", n) for n in range(len(ids))]
    async with elasticsearch_writer(elasticsearch.url, index=index, **KEY) as writer:
        batch = plain(*records, id=ids)
        assert verdicts(await writer.write([batch])) == [(n, "sink.elasticsearch.no_id") for n in range(5)]
    assert (await elasticsearch.documents(index)).keys() == {"é" * 256, '"quoted"\n', "5", "[1,2]"}


async def test_a_tombstone_without_an_id_is_no_document(elasticsearch: Elasticsearch) -> None:
    async with elasticsearch_writer(elasticsearch.url, index=elasticsearch.new_name()) as writer:
        (failure,) = await writer.write([plain(doc(None, b"k"))])
    assert failure.error.code == "sink.elasticsearch.tombstone"


@pytest.mark.slow
async def test_a_document_larger_than_the_cluster_takes(elasticsearch: Elasticsearch) -> None:
    index = await elasticsearch.create_index({"dynamic": False})
    large = b'{"t":"%b"}' % (b"x" * (101 << 20))
    records = [doc(b"{}", offset=0), doc(large, offset=1), doc(b"{}", offset=2)]
    async with elasticsearch_writer(elasticsearch.url, index=index, max_request_size="300MiB") as writer:
        assert verdicts(await writer.write([plain(*records)])) == [(1, "sink.elasticsearch.record_too_large")]
    async with elasticsearch_writer(elasticsearch.url, index=index) as writer:
        assert verdicts(await writer.write([plain(*records)])) == [(1, "sink.elasticsearch.record_too_large")]
    assert len(await elasticsearch.documents(index)) == 2


# what passes


BLOCKS = ["index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete"]


@pytest.mark.parametrize("block", BLOCKS)
async def test_a_block_is_waited_out_by_its_index_alone(elasticsearch_any: Elasticsearch, block: str) -> None:
    blocked, free = await elasticsearch_any.create_index(), await elasticsearch_any.create_index()
    records = [doc(b'{"n":%d}' % n, offset=n) for n in range(6)]
    batch = plain(*records, index=[blocked, free] * 3)
    await elasticsearch_any.request("PUT", f"/{blocked}/_settings", {block: True})
    async with elasticsearch_writer(elasticsearch_any.url, index={"expr": "i"}) as writer:
        failures = await writer.write([batch])
        assert verdicts(failures) == [(n, "sink.elasticsearch.blocked") for n in (0, 2, 4)]
        assert all(isinstance(failure.error, RetryableError) for failure in failures)
        assert all("free disk space" in (failure.error.hint or "") for failure in failures)
        await elasticsearch_any.request("PUT", f"/{blocked}/_settings", {block: None})
        assert not await writer.write([batch.take([failure.record for failure in failures])])
    assert [len(await elasticsearch_any.documents(index)) for index in (blocked, free)] == [3, 3]


async def test_where_order_counts_what_comes_after_a_blocked_change_is_repeated_with_it(
    elasticsearch: Elasticsearch,
) -> None:
    blocked, free = await elasticsearch.create_index(), await elasticsearch.create_index()
    await elasticsearch.block_writes(blocked)
    records = [doc(b'{"n":%d}' % n, b"k", n) for n in range(4)]
    config = {"index": {"expr": "i"}, "op": "update", "max_request_size": "200B", **KEY}
    async with elasticsearch_writer(elasticsearch.url, **config) as writer:
        failures = await writer.write([keyed(*records, index=[free, blocked, free, blocked])])
        assert verdicts(failures) == [(n, "sink.elasticsearch.blocked") for n in (1, 3)]


async def test_a_closed_index_is_waited_for_or_concerns_its_records_alone(elasticsearch_any: Elasticsearch) -> None:
    index = await elasticsearch_any.create_index()
    await elasticsearch_any.request("POST", f"/{index}/_close")
    async with elasticsearch_writer(elasticsearch_any.url, index=index) as writer:
        (failure,) = await writer.write([plain(doc(b"{}"))])
        assert failure.error.code == "sink.elasticsearch.missing_index"
        assert isinstance(failure.error, RetryableError)
        await elasticsearch_any.request("POST", f"/{index}/_open")
        assert not await writer.write([plain(doc(b"{}"))])
        await elasticsearch_any.request("POST", f"/{index}/_close")
    async with elasticsearch_writer(elasticsearch_any.url, index={"expr": "i"}) as writer:
        (failure,) = await writer.write([plain(doc(b"{}"), index=[index])])
        assert isinstance(failure.error, RecordError)


async def test_a_change_that_is_repeated_late_does_not_undo_a_deletion(elasticsearch: Elasticsearch) -> None:
    """Elasticsearch forgets the versions of deleted documents; here at once."""
    index = await elasticsearch.create_index(settings={"index.gc_deletes": "0ms"})
    first = keyed(doc(b'{"n":1}', b"k", 1), doc(b'{"n":1}', b"other", 2))
    async with elasticsearch_writer(elasticsearch.url, index=index, **KEY) as writer:
        await elasticsearch.block_writes(index)
        assert [place for place, _ in verdicts(await writer.write([first]))] == [0, 1]
        await elasticsearch.allow_writes(index)
        assert not await writer.write([keyed(doc(None, b"k", 3))])
        await elasticsearch.request("POST", f"/{index}/_refresh")
        assert not await writer.write([first])
        assert writer.counts["superseded"] == 1
    assert (await elasticsearch.documents(index)).keys() == {"other"}


# in a pipeline


@pytest.mark.kafka
async def test_key_version_and_counts_as_a_pipeline_makes_them(
    elasticsearch: Elasticsearch, kafka: KafkaCluster, tmp_path: Path
) -> None:
    index, topic = elasticsearch.new_name(), await kafka.create_topic()
    values = [b'{"n":1}', b'{"n":2}', None, b'{"n":3}', b'{"n":"4"}', b"no JSON"]
    await kafka.produce(topic, values, keys=[b"a", b"b", b"a", b"b", b"c", b"d"])
    config = {"url": elasticsearch.url, "index": {"expr": f"'{index}-' || meta_partition()[-1:]"}, "id": "meta_key()"}
    template = {"mappings": {"properties": {"n": {"type": "long", "coerce": False}}}}
    config["template"] = {"name": index, "body": {"index_patterns": [f"{index}-0"], "template": template}}
    spec = {
        "source": {"type": "kafka", "config": {"bootstrap_servers": [kafka.bootstrap], "topic": topic}},
        "transforms": [{"select": "*, n * 2 AS twice"}],
        "sink": {"type": "elasticsearch", "config": config},
        "delivery": "exactly_once",
        "on_error": {
            "policy": "dead_letter",
            "sink": {"type": "elasticsearch", "config": {"url": elasticsearch.url, "index": f"{index}-dead"}},
        },
    }
    for _ in range(2):
        outcome = await run(tmp_path, spec, "--reset")
        assert outcome.code == 0, outcome.err
    await elasticsearch.request("DELETE", f"/_index_template/{index}")
    assert await elasticsearch.documents(f"{index}-0") == {"b": {"n": 3, "twice": 6}}
    dead = await elasticsearch.documents(f"{index}-dead")
    assert dead.keys() == {f"kafka/{topic}/0/4", f"kafka/{topic}/0/5"}
    assert [letter["value"] for _, letter in sorted(dead.items())] == ['{"n":"4"}', "no JSON"]
    assert await versions(elasticsearch, f"{index}-0") == {"b": 2 << 48 | 3}
