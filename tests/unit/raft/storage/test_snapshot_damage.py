from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest
from xxhash import xxh3_64_intdigest

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.snapshot_support import (
    CHUNKS,
    name,
    names,
    opened,
    refused,
    written,
)
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshot_format import DamageError, decode_footer


def test_a_damaged_newest_is_not_passed_over(tmp_path: Path) -> None:
    store = opened(tmp_path)
    written(store, 9)
    info = written(store, 10)
    content = bytearray((tmp_path / name(10)).read_bytes())
    content[-1] ^= 1
    (tmp_path / name(10)).write_bytes(content)
    with refused("raft.storage.damaged") as caught:
        opened(tmp_path)
    assert f"{tmp_path / name(10)} is damaged at byte {info.size - 40}" in caught.value.message
    assert "remove this member from the cluster" in str(caught.value.hint)
    assert names(tmp_path) == [name(9), name(10)]


def test_a_damaged_chunk_is_named_and_not_yielded(tmp_path: Path) -> None:
    store = opened(tmp_path)
    info = written(store, 9, [b"one", b"two", b"three"])
    content = (tmp_path / name(9)).read_bytes()
    at = content.index(b"two")
    (tmp_path / name(9)).write_bytes(content.replace(b"two", b"tWo"))
    chunks = store.chunks(info)
    assert next(chunks) == b"one"
    with refused("raft.storage.damaged") as caught:
        next(chunks)
    assert f"{tmp_path / name(9)} is damaged at byte {at - 12}: a chunk" in caught.value.message


def surviving(content: bytes) -> list[bytes]:
    """Return what is read from a file of that content; raises StorageError after any damage."""
    files = SimulatedFiles(Random(0))
    files.put(name(9), content)
    store = opened(files)
    assert store.newest is not None
    got: list[bytes] = []
    try:
        got.extend(store.chunks(store.newest))  # keeps what it was given when the iterator raises
    finally:
        assert got == CHUNKS[: len(got)]
    return got


def test_every_flipped_bit_is_found(sample: tuple[SnapshotInfo, bytes]) -> None:
    content = sample[1]
    assert surviving(content) == CHUNKS
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with refused("raft.storage.damaged"):
            surviving(bytes(flipped))


def test_every_truncation_is_found(sample: tuple[SnapshotInfo, bytes]) -> None:
    for size in range(len(sample[1])):
        with refused("raft.storage.damaged"):
            surviving(sample[1][:size])


def test_bytes_behind_the_end_are_damage(sample: tuple[SnapshotInfo, bytes]) -> None:
    for extra in (b"\0", bytes(40), sample[1][-40:]):
        with refused("raft.storage.damaged"):
            surviving(sample[1] + extra)


def test_chunks_in_another_order_are_damage_at_the_first(tmp_path: Path) -> None:
    store = opened(tmp_path)
    info = written(store, 9, [b"one", b"two"])
    content = (tmp_path / name(9)).read_bytes()
    at, length = content.index(b"one") - 12, 15
    swapped = content[at + length : at + 2 * length] + content[at : at + length]
    (tmp_path / name(9)).write_bytes(content[:at] + swapped + content[at + 2 * length :])
    with refused("raft.storage.damaged") as caught:
        next(store.chunks(info))
    assert f"at byte {at}:" in caught.value.message


def test_a_missing_chunk_is_damage_though_what_is_there_is_right(tmp_path: Path) -> None:
    store = opened(tmp_path)
    short = written(store, 9, [b"one"])
    content = (tmp_path / name(9)).read_bytes()
    footer = struct.pack("<8sQQQ", b"WIRE-END", 2, len(content), short.checksum)
    (tmp_path / name(9)).write_bytes(content[:-40] + footer + struct.pack("<Q", xxh3_64_intdigest(footer)))
    with refused("raft.storage.damaged") as caught:
        next(store.chunks(short))  # the last chunk is not given away before the whole is known to be right
    assert "has 1 chunks and should have 2" in caught.value.message


def test_another_content_with_right_chunks_is_damage(tmp_path: Path) -> None:
    store = opened(tmp_path)
    info = written(store, 9, [b"one"])
    footer = (tmp_path / name(9)).read_bytes()[-40:]
    written(store, 9, [b"two"])
    (tmp_path / name(9)).write_bytes((tmp_path / name(9)).read_bytes()[:-40] + footer)
    with refused("raft.storage.damaged") as caught:
        next(store.chunks(info))
    assert "as a whole" in caught.value.message


def test_a_file_under_another_name_is_refused(tmp_path: Path) -> None:
    written(opened(tmp_path), 9)
    (tmp_path / name(9)).rename(tmp_path / name(11))
    with refused("raft.storage.damaged") as caught:
        opened(tmp_path)
    assert "holds the snapshot of entry 9 of term 2" in caught.value.message


def test_a_snapshot_of_another_cluster_is_refused(tmp_path: Path) -> None:
    written(opened(tmp_path), 9)
    with refused("raft.storage.foreign") as caught:
        opened(tmp_path, owner=b"cluster-2")
    assert "to b'cluster-1', not to b'cluster-2'" in caught.value.message
    assert names(tmp_path) == [name(9)]


def test_a_snapshot_of_a_newer_version_is_refused_and_said_so(sample: tuple[SnapshotInfo, bytes]) -> None:
    content = bytearray(sample[1])
    content[8] = 2
    (length,) = struct.unpack_from("<I", content, 12)
    struct.pack_into("<Q", content, 16 + length, xxh3_64_intdigest(bytes(content[: 16 + length])))
    with refused("raft.storage.version") as caught:
        surviving(bytes(content))
    assert "its format is version 2, and this program reads version 1" in caught.value.message
    assert "start the version of Wire that wrote it" in str(caught.value.hint)


def test_a_header_that_is_none_is_damage_though_its_checksum_is_right() -> None:
    frame = struct.pack("<8sII", b"WIRESNAP", 1, 2) + b"\x91\x01"
    with refused("raft.storage.damaged") as caught:
        surviving(frame + struct.pack("<Q", xxh3_64_intdigest(frame)) + bytes(40))
    assert "the header can't be decoded" in caught.value.message


def test_a_footer_that_is_not_all_there_is_damage() -> None:
    with pytest.raises(DamageError) as caught:
        decode_footer(b"WIRE-END", 100)
    assert caught.value.offset == 108


def test_the_message_says_what_kind_of_damage_it_is(sample: tuple[SnapshotInfo, bytes]) -> None:
    content = sample[1]
    longer = bytearray(content)
    longer[-40 - 52] += 1  # the length of the last chunk, of 40 bytes
    for damaged, message in (
        (b"PK" + content[2:], "at byte 0: it does not begin as a snapshot does"),
        (content[:-100], f"at byte {len(content) - 140}: the file does not end as a snapshot does"),
        (content[:20], "at byte 20: the file ends within the header"),
        (content[:-135], f"at byte {len(content) - 135}: the file ends before its end"),
        (bytes(longer), f"at byte {len(content) - 40 - 52}: a chunk reaches beyond the end"),
    ):
        with refused("raft.storage.damaged") as caught:
            surviving(damaged)
        assert message in caught.value.message
