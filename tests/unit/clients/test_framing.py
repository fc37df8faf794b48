"""Rows are cut where they end, however the stream comes in pieces."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.clients.framing import Framer, Rows, RowTooLargeError, split_csv


def feed(framer: Framer, data: bytes, cuts: list[int]) -> list[tuple[bytes, int]]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    rows = []
    for start, end in itertools.pairwise(edges):
        rows += pairs(framer.feed(data[start:end]))
    return rows + pairs(framer.finish())


def pairs(rows: Rows) -> list[tuple[bytes, int]]:
    assert len(rows.edges) == len(rows.values) + 1
    return list(zip(rows.values, rows.edges, strict=False))


LINES = st.lists(st.binary(max_size=6).filter(lambda line: b"\n" not in line), max_size=20)
CUTS = st.lists(st.integers(0, 200), max_size=6)


@given(LINES, CUTS)
def test_lines_come_out_as_they_went_in_with_their_offsets(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    rows = feed(Framer(100, max_row=1000, keep_blank=True), data, cuts)
    assert [value for value, _ in rows] == [line.removesuffix(b"\r") for line in lines]
    assert all(data[start - 100 :].startswith(value) for value, start in rows)


@given(LINES, CUTS)
def test_blank_lines_are_left_out(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(lines)
    rows = feed(Framer(0, max_row=1000), data, cuts)
    assert [value for value, _ in rows] == [line for raw in lines if (line := raw.removesuffix(b"\r"))]
    assert all(data[start:].startswith(value) for value, start in rows)


CELLS = st.lists(st.lists(st.text('a",\n é', max_size=5), min_size=2, max_size=4), max_size=12)


@given(CELLS, CUTS, st.sampled_from(["\n", "\r\n"]))
def test_csv_rows_with_line_breaks_in_cells_are_whole(rows: list[list[str]], cuts: list[int], end: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(rows)
    data = text.getvalue().encode()
    framed = feed(Framer(0, max_row=1000, split=split_csv(",")), data, cuts)
    assert [next(csv.reader([value.decode()])) for value, _ in framed] == rows


@given(st.text('a",\n', max_size=40), CUTS)
def test_csv_with_stray_quotes_is_cut_as_the_csv_module_does(text: str, cuts: list[int]) -> None:
    framed = feed(Framer(0, max_row=1000, split=split_csv(",")), text.encode(), cuts)
    expected = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert [next(csv.reader([value.decode()])) for value, _ in framed] == expected


def test_another_delimiter_than_a_comma() -> None:
    rows = feed(Framer(0, max_row=100, split=split_csv("|")), b'a|"x\ny"\n,"|b\n', [])
    assert [value for value, _ in rows] == [b'a|"x\ny"', b',"|b']


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_a_row_that_is_too_long_is_refused_after_those_before_it(chunk: int) -> None:
    data = b"first\n" + b"x" * 11 + b"\nlast\n"
    framer = Framer(0, max_row=10)
    chunks = (data[start : start + chunk] for start in range(0, len(data), chunk))
    seen: list[bytes] = []

    def read() -> None:
        for piece in chunks:
            seen.extend(framer.feed(piece).values)
        framer.finish()

    with pytest.raises(RowTooLargeError) as caught:
        read()
    assert seen == [b"first"]
    assert caught.value.offset == 6


def test_fitting_rows_keep_to_both_limits_and_are_never_none() -> None:
    rows = Framer(0, max_row=100).feed(b"aaaa\nbbbb\ncccc\n")
    assert rows.fitting(0, max_rows=2, max_bytes=100).values == [b"aaaa", b"bbbb"]
    assert rows.fitting(0, max_rows=9, max_bytes=10).values == [b"aaaa", b"bbbb"]
    assert rows.fitting(1, max_rows=9, max_bytes=1) == Rows([b"bbbb"], [5, 10])
