from __future__ import annotations

import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.raft.storage.snapshot_support import (
    CHUNKS,
    CONFIGURATION,
    CountedFiles,
    name,
    names,
    opened,
    refused,
    written,
)
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.storage.snapshot_format import MAX_CHUNK_BYTES, READ_BYTES

# what is written is read back


def test_a_snapshot_is_read_back_chunk_by_chunk(tmp_path: Path) -> None:
    assert opened(tmp_path).newest is None
    store = opened(tmp_path)
    info = written(store, 9)
    assert store.newest == info
    assert (info.index, info.term, info.configuration) == (9, 2, CONFIGURATION)
    assert info.size == (tmp_path / name(9)).stat().st_size
    assert list(store.chunks(info)) == CHUNKS
    assert names(tmp_path) == [name(9)]


def test_a_snapshot_without_a_chunk_is_one(tmp_path: Path) -> None:
    info = written(opened(tmp_path), 9, [])
    assert list(opened(tmp_path).chunks(info)) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 3 << 20).map(bytes)), max_size=8))
def test_any_chunks_are_read_back_after_a_restart(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        info = written(opened(Path(folder)), 9, chunks)
        store = opened(Path(folder))
        assert store.newest == info
        assert list(store.chunks(info)) == chunks


def test_the_newest_is_the_one_of_the_highest_index_however_many_digits_it_has(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for index in (9, 10, 10**12):
        written(store, index)
    newest = opened(tmp_path).newest
    assert newest is not None
    assert newest.index == 10**12


def test_one_that_is_older_than_the_newest_does_not_take_its_place(tmp_path: Path) -> None:
    store = opened(tmp_path)
    newest = written(store, 9)
    older = written(store, 8)
    assert store.newest == newest
    assert list(store.chunks(older)) == CHUNKS
    replaced = written(store, 9, [b"taken again"])
    assert store.newest == replaced
    assert opened(tmp_path).newest == replaced


def test_the_checksum_tells_two_contents_apart(tmp_path: Path) -> None:
    first = written(opened(tmp_path / "a"), 9, [b"one"])
    second = written(opened(tmp_path / "b"), 9, [b"two"])
    same = written(opened(tmp_path / "c"), 9, [b"one"])
    assert first.checksum != second.checksum
    assert first == same


# writing


def test_nothing_is_visible_before_the_commit(tmp_path: Path) -> None:
    store = opened(tmp_path)
    writer = store.begin(9, 2, CONFIGURATION)
    writer.write(bytes(3 << 20))
    assert store.newest is None
    assert names(tmp_path) == [f"{name(9)}.tmp"]
    assert opened(tmp_path).newest is None


def test_an_aborted_one_leaves_nothing(tmp_path: Path) -> None:
    writer = opened(tmp_path).begin(9, 2, CONFIGURATION)
    writer.write(b"chunk")
    writer.abort()
    writer.abort()
    assert names(tmp_path) == []
    with refused("raft.snapshot.gone"):
        writer.commit()


def test_an_abort_after_the_commit_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    writer = store.begin(9, 2, CONFIGURATION)
    info = writer.commit()
    writer.abort()
    assert store.newest == info
    assert list(store.chunks(info)) == []


def test_beginning_another_throws_the_unfinished_one_away(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first = store.begin(9, 2, CONFIGURATION)
    second = store.begin(9, 2, CONFIGURATION)
    with refused("raft.snapshot.gone"):
        first.commit()
    assert second.commit() == store.newest


def test_a_chunk_too_large_to_be_read_back_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    store = opened(tmp_path)
    writer = store.begin(9, 2, CONFIGURATION)
    with refused("raft.snapshot.chunk_too_large"):
        writer.write(bytes(MAX_CHUNK_BYTES + 1))
    writer.write(bytes(MAX_CHUNK_BYTES))
    assert list(store.chunks(writer.commit())) == [bytes(MAX_CHUNK_BYTES)]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    store = opened(tmp_path, retain=2)
    for index in (8, 9, 10, 11):
        written(store, index)
    assert names(tmp_path) == [name(10), name(11)]
    opened(tmp_path, retain=1)
    assert names(tmp_path) == [name(11)]


def test_closing_throws_away_what_is_being_written_and_keeps_what_arrives(
    tmp_path: Path, sample: tuple[SnapshotInfo, bytes]
) -> None:
    store = opened(tmp_path / "store")
    store.begin(5, 2, CONFIGURATION)
    store.receive(sample[0])
    store.close()
    store.close()
    (left,) = names(tmp_path / "store")
    assert left.endswith(".part")


def test_what_was_being_written_is_removed_at_open_and_files_of_others_are_not(tmp_path: Path) -> None:
    info = written(opened(tmp_path), 9)
    (tmp_path / f"{name(10)}.tmp").write_bytes(b"half")
    (tmp_path / "snapshot-1").write_bytes(b"whatever")
    assert opened(tmp_path).newest == info
    assert names(tmp_path) == [name(9), "snapshot-1"]


# bounds


def test_small_chunks_are_read_in_large_pieces(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    store = opened(files)
    info = written(store, 9, [bytes(100)] * 40_000)
    files.reads.clear()
    assert sum(map(len, store.chunks(info))) == 4_000_000
    assert len(files.reads) <= info.size // READ_BYTES + 4
    assert files.open_ones() == []


def test_a_chunk_that_claims_to_be_huge_is_damage_and_is_not_read(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    store = opened(files)
    info = written(store, 9, [bytes(MAX_CHUNK_BYTES), bytes(MAX_CHUNK_BYTES)])
    content = bytearray((tmp_path / name(9)).read_bytes())
    first = info.size - 40 - 2 * (MAX_CHUNK_BYTES + 12)
    struct.pack_into("<I", content, first, MAX_CHUNK_BYTES + 1)
    (tmp_path / name(9)).write_bytes(content)
    files.reads.clear()
    with refused("raft.storage.damaged") as caught:
        list(store.chunks(info))
    assert f"at byte {first}: a chunk has an impossible length" in caught.value.message
    assert max(files.reads) <= READ_BYTES


def test_a_header_that_claims_to_be_huge_is_damage_and_is_not_read(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    written(opened(files), 9, [bytes(3 << 20)])
    content = bytearray((tmp_path / name(9)).read_bytes())
    struct.pack_into("<I", content, 12, 1 << 31)
    (tmp_path / name(9)).write_bytes(content)
    with refused("raft.storage.damaged") as caught:
        opened(files)
    assert "at byte 0: the header has an impossible length" in caught.value.message
    assert max(files.reads) <= READ_BYTES
