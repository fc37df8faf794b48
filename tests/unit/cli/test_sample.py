"""What a sample tells: format, types, NULLs."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from wire.cli.sample import look_at
from wire.core.errors import ConfigError
from wire.core.formats import CsvFormat, JsonFormat, TextFormat


def csv(tmp_path: Path, text: str) -> CsvFormat:
    path = tmp_path / "sample.csv"
    path.write_text(text, encoding="utf-8")
    form = look_at(path).format
    assert isinstance(form, CsvFormat)
    return form


def test_types_are_those_that_all_cells_have(tmp_path: Path) -> None:
    form = csv(
        tmp_path,
        "int,real,flag,day,at,text,zip,mixed\n"
        "1,1.5,true,2024-01-31,2024-01-31T10:00:00Z,x,01234,1\n"
        "-2,2,false,2024-02-01,2024-02-01 11:00:00,y,99999,b\n",
    )
    assert form.types == {"int": "bigint", "real": "double", "flag": "boolean", "day": "date", "at": "timestamp"}
    assert form.nulls == [""]
    assert form.delimiter == ","


def test_nulls_are_cells_that_keep_a_column_from_having_a_type(tmp_path: Path) -> None:
    form = csv(tmp_path, "a,b,c\n1,NA,-\n,2,-\n3,4,x\n")
    assert form.types == {"a": "bigint", "b": "bigint"}
    assert form.nulls == ["", "NA"], "a dash is text where the column is text anyway"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    form = csv(tmp_path, f"a{delimiter}b\n1{delimiter}x\n")
    assert (form.delimiter, form.types) == (delimiter, {"a": "bigint"})


def test_quoted_cells_bad_rows_and_a_header_alone(tmp_path: Path) -> None:
    assert csv(tmp_path, 'a,b\n1,"x, ""y""\nz"\n2\n3,w\n').types == {"a": "bigint"}
    assert csv(tmp_path, "a,b\n").types == {}
    assert csv(tmp_path, "\ufeffa,b\n1,2\n").types == {"a": "bigint", "b": "bigint"}


def test_the_first_record_as_one_would_write_it_in_a_test(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("n,at,s,none\n7,2024-01-31T10:00:00Z,x,\n")
    assert look_at(path).first == {"n": 7, "at": "2024-01-31T10:00:00Z", "s": "x", "none": None}


def test_other_formats(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert (look_at(path).format, look_at(path).first) == (JsonFormat(), {"a": 1})
    path.write_text("{broken\n")
    assert look_at(path).first == {}
    path.write_text("a line\nanother\n")
    assert look_at(path).format == TextFormat()
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert look_at(path).format == JsonFormat()


def test_zstd(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "s.zst"
    path.write_bytes(zstandard.compress(b"a,b\n1,2\n"))
    assert look_at(path).format == CsvFormat(types={"a": "bigint", "b": "bigint"})


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"\xff\xfe\x00a", b"\x1f\x8bnot gzip", gzip.compress(b"x,y", mtime=0)[:-4]]
)
def test_what_can_not_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "s"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        look_at(path)
    assert caught.value.code == "config.unreadable"
    assert caught.value.hint
    assert str(path) in caught.value.message
