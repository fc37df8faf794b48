"""From a declared format to its codec."""

from __future__ import annotations

from typing import assert_never

from wire.core.formats import CsvFormat, Format, JsonFormat, RawFormat, TextFormat
from wire.pipelines.codecs.csv import CsvDecoder, CsvEncoder
from wire.pipelines.codecs.json import JsonDecoder, JsonEncoder
from wire.pipelines.codecs.ports import Decoder, Encoder
from wire.pipelines.codecs.raw import RawDecoder, RawEncoder
from wire.pipelines.codecs.text import TextDecoder, TextEncoder


def decoder(form: Format, path: str) -> Decoder:
    """Return what decodes a format; `path` is where the user chose it."""
    match form:
        case JsonFormat():
            return JsonDecoder()
        case CsvFormat():
            return CsvDecoder(form, path)
        case TextFormat():
            return TextDecoder()
        case RawFormat():
            return RawDecoder(path)
        case _:
            assert_never(form)


def encoder(form: Format, path: str) -> Encoder:
    """Return what encodes a format; `path` is where the user chose it."""
    match form:
        case JsonFormat():
            return JsonEncoder()
        case CsvFormat():
            return CsvEncoder(form, path)
        case TextFormat():
            return TextEncoder(path)
        case RawFormat():
            return RawEncoder(path)
        case _:
            assert_never(form)


def passes_through(source: Format, sink: Format) -> bool:
    """Say whether bytes of one format are valid bytes of the other as they are.

    Raw takes anything. CSV rows are alike when columns, NULLs and delimiter are; their types don't matter.
    """
    match source, sink:
        case _, RawFormat():
            return True
        case CsvFormat(), CsvFormat():
            same = source.columns == sink.columns is not None
            return same and (source.nulls, source.delimiter) == (sink.nulls, sink.delimiter)
        case _:
            return source == sink
