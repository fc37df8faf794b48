"""Over an API a pipeline reaches for nothing on the machine that its operator has not named (I10)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest

from wire.core import plugins
from wire.core.config import fields_of, is_struct
from wire.core.errors import FatalError, RecordError
from wire.core.permissions import Local, Permissions
from wire.core.ports import TaskId
from wire.core.records import Batch, PartitionId, Position, Record
from wire.pipelines.building import build_sink, build_source
from wire.pipelines.lint import LintResult, compile_here, lint

SOURCE = {"type": "generate", "config": {"fields": {"n": "sequence"}}}
KAFKA = {"bootstrap_servers": ["localhost:9092"], "topic": "t"}
SINK = {"type": "drop"}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The cluster's own private key."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "node.key"
    path.write_text("very secret")
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link").symlink_to(path)
    (tmp_path / "open" / "rows.csv").write_text("a,b\n1,2\n")
    return path


@pytest.fixture
def permissions(tmp_path: Path, key: Path) -> Permissions:
    return Permissions(python=("safe.*",), paths=(str(tmp_path / "open"),), env=("PUBLIC_*",), protected=(str(key),))


def check(
    permissions: Permissions, *, source: Any = SOURCE, sink: Any = SINK, transforms: Any = (), **more: Any
) -> LintResult:
    spec = {"name": "p", "source": source, "sink": sink, "transforms": list(transforms), **more}
    return lint(json.dumps(spec), environ={"PUBLIC_HOST": "h", "WIRE_KEY": "very secret"}, permissions=permissions)


def refused(result: LintResult) -> list[str]:
    """The places at which something is not allowed; nothing of the secret may be told."""
    told = repr([result.findings, result.lines, result.shown])
    assert "very secret" not in told
    return [finding.path for finding in result.errors if finding.code == "config.not_allowed"]


def paths_to(key: Path) -> list[str]:
    """All the ways there are to the key."""
    inside = key.parent.parent / "open"
    return [str(key), str(inside / "link"), f"{inside}/../data/node.key", os.path.relpath(key)]


def tls(field: str, path: str) -> dict[str, str]:
    return {"cert": path, field: path}


def test_references_reach_only_what_is_named(permissions: Permissions, key: Path) -> None:
    for path in paths_to(key):
        sink = {"type": "kafka", "config": {**KAFKA, "topic": f"${{file:{path}}}"}}
        assert refused(check(permissions, sink=sink)) == ["$.sink.config.topic"]
    sink = {"type": "kafka", "config": {**KAFKA, "topic": "${env:WIRE_KEY}"}}
    assert refused(check(permissions, sink=sink)) == ["$.sink.config.topic"]
    sink = {"type": "kafka", "config": {**KAFKA, "topic": "${env:PUBLIC_HOST}"}}
    assert check(permissions, sink=sink).require()


def test_a_reference_that_is_not_allowed_is_told_apart_from_one_to_nothing(permissions: Permissions) -> None:
    sink = {"type": "kafka", "config": {**KAFKA, "topic": "${env:HOME}${env:PUBLIC_NOTHING}"}}
    (finding,) = check(permissions, sink=sink).errors
    assert finding.code == "config.not_allowed"
    assert finding.message == "the environment variable HOME may not be read here"
    assert finding.hint == "the cluster's operator allows variables by --allow-env"


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (lambda path: {"source": {"type": "file", "config": {"path": path}}}, "$.source.config.path"),
        (lambda path: {"sink": {"type": "file", "config": {"path": path}}}, "$.sink.config.path"),
        (
            lambda path: {"sink": {"type": "file", "config": {"path": {"expr": "'x'"}, "directory": path}}},
            "$.sink.config",
        ),
        (
            lambda path: {
                "on_error": {"policy": "dead_letter", "sink": {"type": "file", "config": {"path": path}}},
            },
            "$.on_error.sink.config.path",
        ),
        (
            lambda path: {"transforms": [{"lookup": {"file": path, "key": "n", "select": "b"}}]},
            "$.transforms[0].lookup.file",
        ),
        (lambda path: {"transforms": [{"validate": path}]}, "$.transforms[0].validate"),
        (lambda path: {"transforms": [{"validate": {"file": path}}]}, "$.transforms[0].validate.file"),
        (lambda path: {"transforms": [{"pii": {"report": path}}]}, "$.transforms[0].pii.report"),
        *(
            (
                lambda path, field=field: {
                    "source": {"type": "kafka", "config": {**KAFKA, "security": {"tls": tls(field, path)}}}
                },
                f"$.source.config.security.tls.{field}",
            )
            for field in ("ca", "cert", "key")
        ),
        (
            lambda path: {
                "sink": {"type": "elasticsearch", "config": {"url": "https://h", "index": "i", "tls": {"ca": path}}}
            },
            "$.sink.config.tls.ca",
        ),
        (
            lambda path: {
                "source": {
                    "type": "mongodb",
                    "config": {"uri": "mongodb://h", "database": "d", "collection": "c", "tls": {"cert": path}},
                }
            },
            "$.source.config.tls.cert",
        ),
        (
            lambda path: {
                "source": {
                    "type": "mongodb",
                    "config": {"uri": f"mongodb://h/?tlsCAFile={path}", "database": "d", "collection": "c"},
                }
            },
            "$.source.config.uri",
        ),
    ],
)
def test_no_configuration_leads_to_the_clusters_key(permissions: Permissions, key: Path, part: Any, place: str) -> None:
    for path in paths_to(key):
        assert place in refused(check(permissions, **part(path)))


def test_functions_are_refused_before_their_module_is_imported(permissions: Permissions) -> None:
    assert refused(check(permissions, transforms=[{"python": "os:system"}])) == ["$.transforms[0].python"]
    assert check(permissions, transforms=[{"python": "safe.module:function"}]).require()


def test_the_terminal_is_nothing_for_a_cluster(permissions: Permissions) -> None:
    assert refused(check(permissions, source={"type": "stdin"})) == ["$.source.config"]
    assert refused(check(permissions, sink={"type": "stdout"})) == ["$.sink.config"]


def test_files_of_tests_are_not_opened(permissions: Permissions, key: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "blocks")  # opening it would wait for ever
    blocks = str(tmp_path / "blocks")
    cases = [blocks, str(key), {"input": blocks, "output": str(key)}]
    result = compile_here(check(permissions, tests=cases))
    assert "very secret" not in repr(result.findings)


def test_what_is_allowed_runs(permissions: Permissions, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    lookup = {"lookup": {"file": str(folder / "rows.csv"), "key": "CAST(n AS VARCHAR)", "column": "a", "select": "b"}}
    sink = {"type": "file", "config": {"path": f"{folder}/out.jsonl"}}
    source = {"type": "file", "config": {"path": f"{folder}/*.jsonl"}}
    assert check(permissions, source=source, sink=sink, transforms=[lookup]).require()


async def test_links_that_a_pattern_finds_are_not_followed_out(permissions: Permissions, tmp_path: Path) -> None:
    source = {"type": "file", "config": {"path": f"{tmp_path}/open/l*"}}
    pipeline = check(permissions, source=source).require()
    with pytest.raises(FatalError, match="not allowed"):
        await build_source(pipeline.sources[0], pipeline).partitions()


async def test_a_partition_is_opened_only_where_that_is_allowed(permissions: Permissions, key: Path) -> None:
    pipeline = check(permissions, source={"type": "file", "config": {"path": f"{key.parent.parent}/open/*"}}).require()
    source = build_source(pipeline.sources[0], pipeline)
    with pytest.raises(FatalError, match="not allowed"):
        await source.open(PartitionId(str(key)), None)


async def test_links_in_a_computed_path_are_not_followed_out(permissions: Permissions, tmp_path: Path) -> None:
    (tmp_path / "open" / "out").symlink_to(tmp_path / "data")
    config = {"path": {"expr": "'out/x'"}, "directory": str(tmp_path / "open")}
    pipeline = check(permissions, sink={"type": "file", "config": config}).require()
    writer = await build_sink(pipeline.sinks[0], pipeline).open(TaskId("default/p"), 1, {})
    batch = Batch(PartitionId("p"), Position(b""), [Record(b"1", None, 0, (), 0)], columns={"path": ["out/x"]})
    (failure,) = await writer.write([batch])
    await writer.close()
    assert isinstance(failure.error, RecordError)
    assert failure.error.code == "sink.file.path_refused"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["node.key"]


def test_a_sink_that_computes_paths_needs_its_folder_allowed(permissions: Permissions) -> None:
    sink = {"type": "file", "config": {"path": {"expr": "'x'"}}}  # in the working directory
    assert refused(check(permissions, sink=sink)) == ["$.sink.config"]


def marked(kind: Any, name: str) -> Iterator[str]:
    """All fields of a configuration type that say that they name something local."""
    if get_origin(kind) is Annotated:
        yield from (name for note in get_args(kind)[1:] if isinstance(note, Local))
        kind = get_args(kind)[0]
    if is_struct(kind):
        for field in fields_of(kind):
            yield from marked(field.type, f"{name}.{field.encode_name}")
    for member in get_args(kind):
        yield from marked(member, name)


def test_every_field_that_names_something_local_says_so() -> None:
    found = {
        place
        for kind in ("source", "sink", "transform")
        for name in plugins.names(kind)
        for place in marked(plugins.load(kind, name).config, f"{kind}.{name}")
    }
    tls_fields = [
        f"{component}.tls.{field}"
        for component in (
            "source.kafka.security",
            "sink.kafka.security",
            "source.elasticsearch",
            "sink.elasticsearch",
            "source.http",
            "sink.http",
            "transform.enrich",
        )
        for field in ("ca", "cert", "key")
    ]
    mongo_fields = [
        f"{component}.{field}"
        for component in ("source.mongodb", "sink.mongodb", "transform.enrich")
        for field in ("uri", "tls.ca", "tls.cert")
    ]
    assert found == {
        "source.file.path",
        "sink.file.path",
        "transform.lookup.file",
        "transform.pii.report",
        "transform.python",
        "transform.validate",
        "transform.validate.file",
        *tls_fields,
        *mongo_fields,
    }
