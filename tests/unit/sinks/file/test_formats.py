"""What is in a file: lines, headers, compressed members."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.unit.sinks.file.support import Pipeline, batch, content, finished, parts
from wire.core.config import parse
from wire.core.errors import FatalError, Finding, RecordError
from wire.sinks.file import PLUGIN


@pytest.mark.parametrize(
    ("name", "magic"), [("a.gz", b"\x1f\x8b"), ("a.jsonl.zst", b"\x28\xb5\x2f\xfd"), ("a", b"1\n")]
)
async def test_the_name_tells_the_compression(tmp_path: Path, name: str, magic: bytes) -> None:
    pipeline = Pipeline(path=str(tmp_path / name))
    for number in (1, 2):
        await pipeline.run(batch(b"%d" % number))
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert finished(tmp_path) == {name: b"1\n2\n"}


async def test_compression_may_be_chosen(tmp_path: Path) -> None:
    await Pipeline(path=str(tmp_path / "a"), compression="gzip").run(batch(b"1"))
    await Pipeline(path=str(tmp_path / "b.gz"), compression="none").run(batch(b"1"))
    assert gzip.decompress((tmp_path / "a").read_bytes()) == b"1\n"
    assert (tmp_path / "b.gz").read_bytes() == b"1\n"


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
async def test_every_commit_ends_a_member(tmp_path: Path, name: str) -> None:
    pipeline = Pipeline(path=str(tmp_path / name))
    writer = await pipeline.open()
    expected = b""
    for number in range(3):
        await writer.write([batch(b"%d" % number)])
        await writer.write([batch(b"x" * 200_000)])
        await pipeline.commit(writer)
        (part,) = parts(tmp_path)
        expected += b"%d\n" % number + b"x" * 200_000 + b"\n"
        assert content(part) == expected
        await writer.committed()
    await writer.close()


async def test_much_data_is_compressed_before_the_commit(tmp_path: Path) -> None:
    writer = await Pipeline(path=str(tmp_path / "a.gz")).open()
    await writer.write([batch(b"x" * 300_000)])
    (part,) = parts(tmp_path)
    assert content(part) == b"x" * 300_000 + b"\n"
    await writer.close()


async def test_every_csv_file_begins_with_its_columns(tmp_path: Path) -> None:
    columns = {"type": "csv", "columns": ["id", 'a "b"']}
    pipeline = Pipeline(path=str(tmp_path / "a.csv"), format=columns, rotate={"max_records": 1})
    writer = await pipeline.open()
    await writer.write([batch(b'1,"x\ny"')])
    await writer.write([batch(b"2,z")])
    await pipeline.checkpoint(writer)
    await writer.close()
    assert finished(tmp_path) == {
        "a-000001.csv": b'id,"a ""b"""\n1,"x\ny"\n',
        "a-000002.csv": b'id,"a ""b"""\n2,z\n',
    }


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
async def test_a_csv_file_is_only_continued_with_the_same_columns(tmp_path: Path, name: str) -> None:
    pipeline = Pipeline(path=str(tmp_path / name), format={"type": "csv", "columns": ["a", "b"]})
    await pipeline.run(batch(b"1,2"))
    await pipeline.run(batch(b"3,4"))
    assert finished(tmp_path) == {name: b"a,b\n1,2\n3,4\n"}
    pipeline.config["format"] = {"type": "csv", "columns": ["a", "c"]}
    writer = await pipeline.open()
    with pytest.raises(FatalError) as caught:
        await writer.write([batch(b"5,6")])
    await writer.close()
    assert caught.value.code == "sink.file.header_changed"
    assert finished(tmp_path) == {name: b"a,b\n1,2\n3,4\n"}


async def test_a_csv_run_without_records_leaves_the_columns(tmp_path: Path) -> None:
    await Pipeline(path=str(tmp_path / "a.csv"), format={"type": "csv", "columns": ["a", "b"]}).run()
    assert finished(tmp_path) == {"a.csv": b"a,b\n"}


async def test_line_breaks_in_json_stand_where_spaces_can(tmp_path: Path) -> None:
    await Pipeline(path=str(tmp_path / "a")).run(batch(b'{\n"a": 1\n}', b"2"))
    assert finished(tmp_path) == {"a": b'{ "a": 1 }\n2\n'}


@pytest.mark.parametrize("kind", ["text", "raw"])
async def test_line_breaks_in_text_fail_their_record_alone(tmp_path: Path, kind: str) -> None:
    failures = await Pipeline(path=str(tmp_path / "a"), format=kind).run(batch(b"1", b"2\n3", b"4"))
    assert [(f.batch, f.record, f.error.code) for f in failures] == [(0, 1, "sink.file.newline")]
    assert isinstance(failures[0].error, RecordError)
    assert finished(tmp_path) == {"a": b"1\n4\n"}


async def test_a_tombstone_fails_alone(tmp_path: Path) -> None:
    failures = await Pipeline(path=str(tmp_path / "a")).run(batch(b"1", None, b"2"))
    assert [(f.record, f.error.code) for f in failures] == [(1, "sink.file.tombstone")]
    assert "on_error.policy" in str(failures[0].error.hint)  # no transform sees a tombstone
    assert finished(tmp_path) == {"a": b"1\n2\n"}


@pytest.mark.parametrize(
    "config",
    [{"path": ""}, {"path": "out/"}, {"path": "a", "format": "csv"}, {"path": "a", "rotate": {}}, {}],
)
def test_what_makes_no_sense_is_found_before_anything_runs(config: dict[str, object]) -> None:
    findings: list[Finding] = []
    assert parse(PLUGIN.config, config, "$", findings) is None
    assert findings
