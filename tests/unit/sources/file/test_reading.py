"""What is in a file is what comes out, whatever the file looks like."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest

from tests.unit.sources.file.support import LIMIT, offsets, opened, read, rest, source, take, values
from wire.clients.compression import compressor
from wire.core.config import parse
from wire.core.errors import FatalError, Finding, RetryableError, UnavailableError
from wire.core.ports import Lag, ReadLimit
from wire.sources.file import PLUGIN
from wire.sources.file.errors import cant_open
from wire.sources.file.stream import FileStream


async def test_lines_with_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n\n{"a":2}\r\n{"a":3}')
    async with opened(path) as reader:
        batches = await rest(reader)
    assert values(batches) == [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    assert offsets(batches) == [0, 9, 18]
    assert batches[0].partition == str(path)


@pytest.mark.parametrize(
    ("kind", "expected"), [("json", [b"a", b"b"]), ("text", [b"a", b"", b"b"]), ("raw", [b"a", b"", b"b"])]
)
async def test_blank_lines_are_records_only_where_lines_are_text(
    tmp_path: Path, kind: str, expected: list[bytes]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a\n\nb\n")
    assert await read(path, format=kind) == expected


async def test_bytes_that_are_not_utf8_come_through(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'{"a":"\xff\xfe"}\n\x00\x80\n')
    assert await read(path) == [b'{"a":"\xff\xfe"}', b"\x00\x80"]


async def test_a_byte_order_mark_is_not_part_of_the_first_record(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    async with opened(path) as reader:
        first = await take(reader, 1)
    assert (values(first), offsets(first)) == ([b"one"], [3])
    async with opened(path, first[0].position) as reader:
        assert values(await rest(reader)) == [b"two"]


async def test_utf16_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one\ntwo\n", encoding="utf-16")
    with pytest.raises(FatalError) as caught:
        await read(path)
    assert caught.value.code == "source.file.encoding"
    assert "iconv" in (caught.value.hint or "")


async def test_a_line_of_ten_mebibytes_passes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    long = b"x" * (10 << 20)
    path.write_bytes(b"before\n" + long + b"\nafter\n")
    assert await read(path) == [b"before", long, b"after"]


async def test_a_line_that_is_too_long_stops_behind_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before\n" + b"x" * 2000 + b"\nafter\n")
    async with opened(path, max_record="1KiB") as reader:
        before = await take(reader, 1)
        for _ in range(2):
            with pytest.raises(FatalError) as caught:
                await reader.read(LIMIT)
    assert caught.value.code == "source.file.record_too_large"
    assert "byte 7 " in str(caught.value)
    async with opened(path, before[0].position, max_record="4KiB") as reader:
        assert values(await rest(reader)) == [b"x" * 2000, b"after"]


@pytest.mark.parametrize(("codec", "suffix"), [("gzip", ".gz"), ("zstd", ".zst"), ("gzip", ".jsonl")])
async def test_compressed_files_are_recognised_by_content(tmp_path: Path, codec: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    compress = compressor("gzip" if codec == "gzip" else "zstd")
    path.write_bytes(compress(b"one\ntw") + compress(b"o\nthree\n"))
    async with opened(path) as reader:
        first = await take(reader, 1)
    async with opened(path, first[0].position) as reader:
        assert values(first + await rest(reader)) == [b"one", b"two", b"three"]
        assert reader.lag() == Lag(bytes=0)


async def test_a_compressed_file_that_ends_early_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(os.urandom(5000).hex().encode())[:-100])
    with pytest.raises(FatalError) as caught:
        await read(path)
    assert caught.value.code == "source.file.truncated"


async def test_a_compressed_file_that_is_still_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = gzip.compress(b"one\n") + gzip.compress(b"two\n" + os.urandom(5000).hex().encode() + b"\n")
    path.write_bytes(whole[:-100])
    async with opened(path, follow=True) as reader:
        with pytest.raises(RetryableError) as caught:
            await rest(reader)
        path.write_bytes(whole)
        assert values(await rest(reader))[:2] == [b"one", b"two"]
    assert caught.value.code == "source.file.truncated"


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    data = bytearray(gzip.compress(os.urandom(5000)))
    data[2000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FatalError) as caught:
        await read(path)
    assert caught.value.code == "source.file.corrupt"
    assert str(path) in caught.value.message


async def test_reads_keep_to_their_limits(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"".join(b"%09d\n" % i for i in range(100)))
    async with opened(path) as reader:
        assert len((await reader.read(ReadLimit(7, 1 << 20))).records) == 7  # type: ignore[union-attr]
        assert len((await reader.read(ReadLimit(100, 50))).records) == 5  # type: ignore[union-attr]
        assert len((await reader.read(ReadLimit(100, 1))).records) == 1  # type: ignore[union-attr]
        assert reader.lag() == Lag(bytes=870)


async def test_a_pattern_gives_each_file_as_a_partition(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "d.txt"):
        (tmp_path / name).write_bytes(b"1\n")
    found = await source(tmp_path / "**" / "*.jsonl").partitions()
    assert found == [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl", "deep/c.jsonl")]


async def test_a_name_that_looks_like_a_pattern_is_a_name_where_it_exists(tmp_path: Path) -> None:
    path = tmp_path / "a[1].jsonl"
    path.write_bytes(b"1\n")
    assert await source(path).partitions() == [str(path)]


async def test_only_whole_files_are_read_by_few_readers_at_once(tmp_path: Path) -> None:
    assert source(tmp_path / "*").max_readers == 4
    assert source(tmp_path / "*", follow=True).max_readers is None
    assert source(tmp_path / "*", follow=True, bounded=True).max_readers == 4


@pytest.mark.parametrize(
    ("name", "code"), [("nothing.jsonl", "not_found"), ("*.nothing", "not_found"), (".", "not_a_file")]
)
async def test_what_is_not_there_is_said_at_once(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        await source(tmp_path / name).partitions()
    assert caught.value.code == f"source.file.{code}"
    assert caught.value.hint


async def test_a_file_that_is_to_be_followed_may_come_later(tmp_path: Path) -> None:
    waiting = source(tmp_path / "a.jsonl", follow=True)
    with pytest.raises(RetryableError) as caught:
        await waiting.partitions()
    assert caught.value.code == "source.file.not_found"
    assert await source(tmp_path / "*.jsonl", follow=True).partitions() == []
    (tmp_path / "a.jsonl").touch()
    assert len(await waiting.partitions()) == 1


async def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    path.chmod(0)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(UnavailableError) as caught:
            await source(path).partitions()
    finally:
        if was_root:
            os.seteuid(0)
    assert caught.value.code == "source.file.unreadable"
    assert caught.value.exit_code == 3


def test_the_fingerprint_is_what_is_read_not_how(tmp_path: Path) -> None:
    one = source(tmp_path / "a").fingerprint()
    assert one == source(tmp_path / "a", follow=True, format="text").fingerprint()
    assert one != source(tmp_path / "b").fingerprint()
    assert one != source(tmp_path / "a", format="csv").fingerprint()


async def test_a_read_that_fails_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"".join(b"%d\n" % i for i in range(300_000)))
    real, calls = FileStream.read, 0

    def failing(stream: FileStream, size: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(stream, size)

    monkeypatch.setattr(FileStream, "read", failing)
    errors: list[str] = []
    found: list[bytes | None] = []
    async with opened(path) as reader:
        while len(found) < 300_000:
            try:
                found += values(await take(reader, 1))
                found += values([batch for batch in [await reader.read(LIMIT)] if batch])
            except RetryableError as exc:
                errors.append(exc.code)
    assert found == [b"%d" % i for i in range(300_000)]
    assert errors == ["source.file.read_failed"]


@pytest.mark.parametrize(("cut", "code"), [(slice(0, -8), "truncated"), (slice(12, None), "corrupt")])
@pytest.mark.parametrize("kind", ["json", "csv"])
async def test_damage_is_found_wherever_a_file_is_first_looked_at(
    tmp_path: Path, cut: slice, code: str, kind: str
) -> None:
    path = tmp_path / "a.gz"
    whole = gzip.compress(b"one,two\n" + os.urandom(200).hex().encode())
    path.write_bytes(whole)
    async with opened(path, format=kind) as reader:
        position = (await rest(reader))[-1].position
    path.write_bytes((whole[:10] if cut.start else b"") + whole[cut])
    with pytest.raises(FatalError) as caught:
        async with opened(path, position, format=kind) as reader:
            await rest(reader)
    assert caught.value.code == f"source.file.{code}"


async def test_a_header_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * 100 + b"\n")
    with pytest.raises(FatalError) as caught:
        await source(path, format="csv", max_record="10B").partitions()
    assert caught.value.code == "source.file.record_too_large"


@pytest.mark.parametrize("config", [{"path": ""}, {"path": "a\0b"}, {"path": "a", "max_record": "0B"}, {}])
def test_what_makes_no_sense_is_found_before_anything_runs(config: dict[str, object]) -> None:
    findings: list[Finding] = []
    assert parse(PLUGIN.config, config, "$", findings) is None
    assert findings


def test_too_many_open_files_are_no_matter_of_the_path() -> None:
    error = cant_open("a.log", OSError(errno.EMFILE, "Too many open files"), waiting=True)
    assert error.code == "source.file.unreadable"
    assert "ulimit" in (error.hint or "")
