"""CSV files: rows over several lines, and headers that files don't agree on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sources.file.support import opened, read, rest, source, take, values
from wire.core.errors import FatalError, RetryableError
from wire.core.formats import CsvFormat
from wire.core.records import PartitionId
from wire.sources.file.source import FileSource


def columns(of: FileSource) -> list[str] | None:
    assert isinstance(of.format, CsvFormat)
    return of.format.columns


async def test_the_header_names_the_columns_and_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfid,"a ""b"""\r\n1,x\r\n\r\n2,"y\nz"\r\n')
    csv = source(path, format="csv")
    await csv.partitions()
    assert columns(csv) == ["id", 'a "b"']
    async with opened(path, of=csv) as reader:
        assert values(await rest(reader)) == [b"1,x", b'2,"y\nz"']


async def test_columns_are_known_after_open_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2")
    csv = source(path, format="csv")
    await (await csv.open(PartitionId(str(path)), None)).close()
    assert columns(csv) == ["a", "b"]


@pytest.mark.parametrize("header", [b"", b"a,b\n", b"b,a\n"])
async def test_with_declared_columns_a_header_may_be_there_or_not(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(header + (b"2,1\n" if header.startswith(b"b") else b"1,2\n"))
    assert await read(path, format={"type": "csv", "columns": ["a", "b"]}) == [b"1,2"]


async def test_files_with_other_orders_and_columns_give_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "2.csv").write_bytes(b'b,a\n2,"1,\n1"\n')
    (tmp_path / "3.csv").write_bytes(b"c,a\n3,1\n")
    (tmp_path / "4.csv").write_bytes(b"")
    csv = source(tmp_path / "*.csv", format={"type": "csv", "nulls": ["NA", ""]})
    found = []
    for partition in await csv.partitions():
        async with opened(Path(partition), of=csv) as reader:
            found += values(await rest(reader))
    assert columns(csv) == ["a", "b", "c"]
    assert found == [b"1,2,NA", b'"1,\n1",2,NA', b"1,NA,3"]


async def test_a_first_row_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,\xff\n1,2\n")
    with pytest.raises(FatalError, match="not UTF-8 text: invalid start byte at byte 2"):
        await read(tmp_path / "a.csv", format="csv")


@pytest.mark.parametrize("cell", [b'"x\ny"', b'"x\r\ny"', b'"x\ry"', b'"x ""y"""'])
async def test_a_cell_stays_one_cell_when_its_row_is_put_in_order(tmp_path: Path, cell: bytes) -> None:
    (tmp_path / "1.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "2.csv").write_bytes(b"b,a\n" + cell + b",1\n")
    csv = source(tmp_path / "*.csv", format="csv")
    await csv.partitions()
    async with opened(tmp_path / "2.csv", of=csv) as reader:
        assert values(await rest(reader)) == [b"1," + cell]


async def test_a_row_of_another_width_never_becomes_one_of_the_right_width(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"a,b,c\n")
    (tmp_path / "2.csv").write_bytes(b"b,a\n2,1\nx,y,z\nx\n")
    csv = source(tmp_path / "*.csv", format="csv")
    await csv.partitions()
    async with opened(tmp_path / "2.csv", of=csv) as reader:
        assert values(await rest(reader)) == [b"1,2,", b"x,y,z,", b"x"]


async def test_a_resumed_file_keeps_its_own_header(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"a,b\n")
    (tmp_path / "2.csv").write_bytes(b"b,a\n2,1\n4,3\n")
    first = source(tmp_path / "*.csv", format="csv")
    await first.partitions()
    async with opened(tmp_path / "2.csv", of=first) as reader:
        (batch,) = await take(reader, 1)
    again = source(tmp_path / "*.csv", format="csv")
    await again.partitions()
    async with opened(tmp_path / "2.csv", batch.position, of=again) as reader:
        assert values([batch, *await rest(reader)]) == [b"1,2", b"3,4"]


async def test_columns_that_come_up_later_stop_the_pipeline_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"a\n1\n")
    csv = source(tmp_path / "*.csv", format="csv", follow=True)
    await csv.partitions()
    (tmp_path / "2.csv").write_bytes(b"a,extra\n1,2\n")
    assert len(await csv.partitions()) == 2
    async with opened(tmp_path / "2.csv", of=csv) as reader:
        with pytest.raises(FatalError) as caught:
            await take(reader, 1)
    assert caught.value.code == "source.file.header_changed"
    assert "extra" in caught.value.message
    again = source(tmp_path / "*.csv", format="csv", follow=True)
    await again.partitions()
    assert columns(again) == ["a", "extra"]


@pytest.mark.parametrize("header", [b"a,a\n", b"a,\xff\n"])
async def test_a_header_that_names_no_columns_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(header + b"1,2\n")
    with pytest.raises(FatalError) as caught:
        await source(path, format="csv").partitions()
    assert caught.value.code == "source.file.header_invalid"


async def test_with_columns_given_a_first_row_that_is_no_csv_is_a_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1\r2,3\n4,5\n")
    assert await read(path, format={"type": "csv", "columns": ["a", "b"]}) == [b"1\r2,3", b"4,5"]


async def test_followed_files_without_a_header_yet_are_waited_for(tmp_path: Path) -> None:
    csv = source(tmp_path / "*.csv", format="csv", follow=True)
    with pytest.raises(RetryableError) as caught:
        await csv.partitions()
    assert caught.value.code == "source.file.header_missing"
    (tmp_path / "a.csv").write_bytes(b"a,b\n")
    await csv.partitions()
    assert columns(csv) == ["a", "b"]


async def test_an_unclosed_quote_is_delivered_with_all_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\n1,2\n3,"4\n5,6\n')
    assert await read(path, format="csv") == [b"1,2", b'3,"4\n5,6\n']
