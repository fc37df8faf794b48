"""Compressed streams: over all members, in bounded pieces, and never cut off in silence."""

from __future__ import annotations

import gzip
import io

import pytest
import zstandard

from wire.clients.compression import (
    Codec,
    DamagedError,
    TruncatedError,
    codec_of_content,
    codec_of_name,
    compressor,
    decompressed,
    without_suffix,
)

CODECS: list[Codec] = ["gzip", "zstd"]


def read_all(data: bytes, codec: Codec, size: int = 1000) -> bytes:
    stream, pieces = decompressed(io.BytesIO(data), codec), b""
    while piece := stream.read(size):
        assert len(piece) <= size
        pieces += piece
    return pieces


@pytest.mark.parametrize("codec", CODECS)
def test_members_are_read_as_one_stream(codec: Codec) -> None:
    parts = [b"first\n", b"", b"second\n" * 1000]
    data = b"".join(map(compressor(codec), parts))
    assert codec_of_content(data) == codec
    assert read_all(data, codec) == b"".join(parts)


def test_a_frame_without_its_size_is_read() -> None:
    compress = zstandard.ZstdCompressor().compressobj()
    assert read_all(compress.compress(b"x" * 5000) + compress.flush(), "zstd") == b"x" * 5000


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("missing", [1, 5, 20])
def test_a_cut_stream_is_noticed(codec: Codec, missing: int) -> None:
    data = compressor(codec)(b"first\n") + compressor(codec)(bytes(range(256)) * 10)
    with pytest.raises(TruncatedError):
        read_all(data[:-missing], codec)


@pytest.mark.parametrize("codec", CODECS)
def test_a_flipped_byte_is_noticed(codec: Codec) -> None:
    data = bytearray(compressor(codec)(bytes(range(256)) * 10))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DamagedError):
        read_all(bytes(data), codec)


def test_what_is_not_compressed_is_noticed() -> None:
    with pytest.raises(DamagedError):
        read_all(b"plain text", "gzip")


def test_names_tell_the_codec() -> None:
    assert [codec_of_name(n) for n in ("a.gz", "a.zst", "a.zstd", "a.json")] == ["gzip", "zstd", "zstd", "none"]
    assert without_suffix("a.json.gz") == ("a.json", ".gz")
    assert codec_of_content(b'{"a": 1}') == "none"


def test_members_do_not_depend_on_the_time() -> None:
    assert compressor("gzip")(b"x") == compressor("gzip")(b"x")
    assert gzip.decompress(compressor("gzip")(b"x")) == b"x"
