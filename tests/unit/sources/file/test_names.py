"""A file's name may be any bytes; what stands in checkpoints, logs and messages is text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.file.support import rest, source, values
from wire.core.config import parse
from wire.core.errors import FatalError, Finding, UnavailableError
from wire.core.records import PartitionId
from wire.sources.file import PLUGIN
from wire.sources.file.names import name_of, path_of
from wire.sources.file.source import FileSource

PATHS = st.one_of(
    st.binary(min_size=1), st.sampled_from([b"", b"file:", b"a/"]).flatmap(lambda head: st.binary().map(head.__add__))
).map(os.fsdecode)


@given(PATHS)
def test_every_path_has_a_name_that_is_text(path: str) -> None:
    name = name_of(path)
    assert name.encode().decode() == name
    assert path_of(name) == path


@given(PATHS, PATHS)
def test_no_two_paths_have_the_same_name(one: str, other: str) -> None:
    assert (name_of(one) == name_of(other)) == (one == other)


@pytest.mark.parametrize("path", ["logs/a.jsonl", "/var/log/caf\xe9 100%.jsonl", "a:b", "./file:x"])
def test_a_name_that_is_utf8_stays_as_it_is(path: str) -> None:
    assert name_of(path) == path_of(PartitionId(path)) == path


@pytest.mark.parametrize("follow", [False, True])
async def test_a_file_whose_name_is_not_utf8_is_read_and_resumed(tmp_path: Path, follow: bool) -> None:
    Path(os.fsdecode(b"%s/caf\xe9.jsonl" % os.fsencode(tmp_path))).write_bytes(b"1\n2\n")
    files = source(tmp_path / "*.jsonl", follow=follow, bounded=True)
    (partition,) = await files.partitions()
    assert partition == f"file:{tmp_path}/caf%E9.jsonl"
    reader = await files.open(partition, None)
    batches = await rest(reader)
    await reader.close()
    assert values(batches) == [b"1", b"2"]
    assert {batch.partition for batch in batches} == {partition}
    again = await files.open(partition, batches[-1].position)
    assert await rest(again) == []
    await again.close()


@pytest.mark.parametrize(
    ("content", "kind"), [(b"\x1f\x8bnot gzip", "json"), (b"a,a\n1,2\n", "csv"), (b"\xff\xfea\0", "json")]
)
async def test_what_is_wrong_with_such_a_file_can_be_printed(tmp_path: Path, content: bytes, kind: str) -> None:
    Path(os.fsdecode(b"%s/caf\xe9" % os.fsencode(tmp_path))).write_bytes(content)
    files = source(tmp_path / "*", format=kind)
    with pytest.raises(FatalError, match="caf%E9") as caught:
        await _read_all(files)
    str(caught.value).encode()


async def _read_all(files: FileSource) -> None:
    for partition in await files.partitions():
        reader = await files.open(partition, None)
        try:
            await rest(reader)
        finally:
            await reader.close()


async def test_a_folder_whose_name_is_not_utf8_can_be_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.fsdecode(b"%s/caf\xe9" % os.fsencode(tmp_path)))
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in ("absent", "absent*"):
        with pytest.raises(UnavailableError, match="caf%E9") as caught:
            await source(path).partitions()
        str(caught.value).encode()


def test_a_path_that_is_not_text_is_refused_with_a_way_to_name_the_file() -> None:
    findings: list[Finding] = []
    parse(PLUGIN.config, {"path": "caf\udce9.jsonl"}, "$", findings)
    (finding,) = findings
    assert finding.code == "config.invalid"
    assert "`caf?.jsonl`" in str(finding.hint)
