from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.snapshot_support import (
    CHUNKS,
    CountedFiles,
    as_sent,
    deliver,
    name,
    names,
    opened,
    refused,
    written,
)
from wire.raft.storage.ports import SnapshotInfo
from wire.raft.types import Configuration

# sending


def test_a_snapshot_is_read_in_any_pieces(tmp_path: Path) -> None:
    store = opened(tmp_path)
    info = written(store, 9)
    content = (tmp_path / name(9)).read_bytes()
    assert b"".join(store.read(info, offset, 7) for offset in range(0, info.size, 7)) == content
    assert store.read(info, info.size, 7) == b""


def test_damage_is_never_sent(tmp_path: Path) -> None:
    store = opened(tmp_path)
    info = written(store, 9)
    content = (tmp_path / name(9)).read_bytes()
    (tmp_path / name(9)).write_bytes(content.replace(b"second", b"sEcond"))
    with refused("raft.storage.damaged"):
        store.read(info, 0, 7)


def test_a_large_snapshot_is_checked_step_by_step_before_any_of_it_is_sent(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    store = opened(files)
    info = written(store, 9, [bytes(1 << 20)] * 11)
    files.reads.clear()
    steps, most = 1, 0
    while not store.check(info):
        steps, most = steps + 1, max(most, sum(files.reads))
        files.reads.clear()
    assert steps == 3
    assert most < 7 << 20
    files.reads.clear()
    store.read(info, 0, 7)
    assert files.reads == [7]


def test_damage_is_found_again_by_whoever_asks_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    info = written(store, 9, [bytes(1 << 20)] * 11)
    assert not store.check(info)
    written(store, 10)
    content = bytearray((tmp_path / name(9)).read_bytes())
    content[-100] ^= 1
    (tmp_path / name(9)).write_bytes(content)
    for _ in range(2):
        with refused("raft.storage.damaged"):
            while not store.check(info):
                pass
    written(store, 11)


def test_a_snapshot_that_was_removed_is_gone(tmp_path: Path) -> None:
    store = opened(tmp_path, retain=1)
    old = written(store, 9)
    written(store, 10)
    with refused("raft.snapshot.gone"):
        store.read(old, 0, 7)
    with refused("raft.snapshot.gone"):
        list(store.chunks(old))


def test_a_snapshot_that_was_replaced_is_gone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    old = written(store, 9, [b"one"])
    new = written(store, 9, [b"two"])
    assert store.newest == new
    with refused("raft.snapshot.gone"):
        store.read(old, 0, 7)


def test_a_transfer_goes_on_though_the_snapshot_was_removed_and_ends_the_hold_on_it(tmp_path: Path) -> None:
    store = opened(tmp_path, retain=1)
    old = written(store, 9)
    content = (tmp_path / name(9)).read_bytes()
    assert store.read(old, 0, 7) == content[:7]
    written(store, 10)
    assert names(tmp_path) == [name(10)]
    assert store.read(old, 7, 7) == content[7:14]
    written(store, 11)
    assert store.read(old, 14, 7) == content[14:21]
    written(store, 12)
    written(store, 13)
    with refused("raft.snapshot.gone"):
        store.read(old, 21, 7)


def test_few_files_are_kept_open_however_many_are_read(tmp_path: Path) -> None:
    files = CountedFiles(tmp_path)
    store = opened(files, retain=9)
    infos = [written(store, index) for index in range(1, 9)]
    before = len(files.open_ones())
    for info in infos:
        store.read(info, 0, 7)
    assert len(files.open_ones()) - before == 4
    store.close()
    assert files.open_ones() == []


# receiving


def test_a_snapshot_is_received_and_becomes_the_newest(tmp_path: Path, sample: tuple[SnapshotInfo, bytes]) -> None:
    info, content = sample
    store = opened(tmp_path / "store")
    written(store, 3)
    receiver = store.receive(info)
    assert receiver.offset == 0
    deliver(receiver, content)
    assert store.newest != info
    assert receiver.commit() == info
    assert store.newest == info
    assert list(store.chunks(info)) == CHUNKS
    assert opened(tmp_path / "store").newest == info
    assert names(tmp_path / "store") == [name(3), name(9)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_transfer_with_any_restarts_gives_the_same_bytes(data: st.DataObject) -> None:
    chunks = data.draw(st.lists(st.binary(max_size=60), max_size=6))
    with tempfile.TemporaryDirectory() as temporary:
        sender, folder = opened(Path(temporary, "sender")), Path(temporary, "store")
        info = written(sender, 9, chunks)
        store = opened(folder)
        receiver = store.receive(info)
        while receiver.offset < info.size:
            match data.draw(st.sampled_from(["piece", "piece", "piece", "again", "restart"])):
                case "piece" | "again" as what:
                    offset = receiver.offset
                    piece = sender.read(info, offset, data.draw(st.integers(1, info.size)))
                    assert receiver.accept(offset, piece)
                    assert receiver.offset == offset + len(piece)
                    if what == "again":
                        assert not receiver.accept(offset, piece)
                        assert receiver.offset == offset + len(piece)
                case _:
                    before = receiver.offset
                    store.close()
                    store = opened(folder)
                    receiver = store.receive(info)
                    assert receiver.offset <= before
        assert receiver.commit() == info
        assert list(store.chunks(info)) == chunks
        assert (folder / name(9)).read_bytes() == sender.read(info, 0, info.size)
        assert names(folder) == [name(9)]
        sender.close()


def test_after_a_restart_whole_chunks_are_not_asked_for_again(tmp_path: Path) -> None:
    sender = opened(tmp_path / "sender")
    info = written(sender, 9, [bytes(100), bytes(100), bytes(100)])
    content = sender.read(info, 0, info.size)
    header = info.size - 40 - 3 * 112
    for arrived, kept in ((header - 1, 0), (header, header), (header + 223, header + 112), (info.size, info.size - 40)):
        store = opened(tmp_path / "store")
        receiver = store.receive(info)
        deliver(receiver, content[:arrived])
        store.close()
        assert opened(tmp_path / "store").receive(info).offset == kept


def test_every_flipped_bit_in_transit_is_found_and_nothing_is_installed(sample: tuple[SnapshotInfo, bytes]) -> None:
    info, content = sample
    files = SimulatedFiles(Random(0))
    store = opened(files)
    old = written(store, 3)
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        receiver = store.receive(info)
        assert receiver.accept(0, bytes(flipped))
        with refused("raft.snapshot.damaged"):
            receiver.commit()
        assert files.names() == [name(3)]
    assert store.newest == old
    receiver = store.receive(info)
    deliver(receiver, content)
    assert receiver.commit() == store.newest


def test_damage_in_any_byte_of_an_unfinished_transfer_is_sent_anew(
    tmp_path: Path, sample: tuple[SnapshotInfo, bytes]
) -> None:
    info, content = sample
    store = opened(tmp_path / "store")
    for position in range(len(content)):
        deliver(store.receive(info), content, len(content))
        (part,) = (tmp_path / "store").iterdir()
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        part.write_bytes(flipped)
        receiver = store.receive(info)
        assert receiver.offset <= position
        deliver(receiver, content, len(content))
    assert receiver.commit() == info
    assert list(store.chunks(info)) == CHUNKS


@pytest.mark.parametrize("change", [{"index": 8}, {"term": 3}, {"configuration": Configuration()}, {"checksum": 1}])
def test_a_snapshot_that_is_not_the_announced_one_is_damaged(
    tmp_path: Path, sample: tuple[SnapshotInfo, bytes], change: dict[str, object]
) -> None:
    info, content = sample
    announced = SnapshotInfo(**{**{field: getattr(info, field) for field in info.__struct_fields__}, **change})
    store = opened(tmp_path / "store")
    receiver = store.receive(announced)
    deliver(receiver, content)
    with refused("raft.snapshot.damaged") as caught:
        receiver.commit()
    assert "another snapshot than the one announced" in caught.value.message
    assert names(tmp_path / "store") == []
    # nothing is continued that begins as another one does
    deliver(store.receive(announced), content)
    assert store.receive(announced).offset == (info.size - 40 if "checksum" in change else 0)


def test_a_snapshot_of_another_cluster_is_not_received(tmp_path: Path, sample: tuple[SnapshotInfo, bytes]) -> None:
    info, content = sample
    store = opened(tmp_path / "store", owner=b"cluster-2")
    receiver = store.receive(info)
    deliver(receiver, content)
    with refused("raft.storage.foreign"):
        receiver.commit()
    assert store.newest is None
    assert names(tmp_path / "store") == []


def test_one_of_which_a_part_is_missing_is_damaged(tmp_path: Path, sample: tuple[SnapshotInfo, bytes]) -> None:
    info, content = sample
    for size in range(len(content)):
        store = opened(tmp_path / "store")
        receiver = store.receive(info)
        deliver(receiver, content[:size], len(content))
        with refused("raft.snapshot.damaged"):
            receiver.commit()
        assert names(tmp_path / "store") == []


def test_a_piece_from_elsewhere_or_beyond_the_end_changes_nothing(
    tmp_path: Path, sample: tuple[SnapshotInfo, bytes]
) -> None:
    info, content = sample
    receiver = opened(tmp_path / "store").receive(info)
    assert receiver.accept(0, content[:10])
    assert not receiver.accept(0, content[:10])
    assert not receiver.accept(11, content[11:20])
    assert not receiver.accept(10, content[10:] + b"!")
    assert receiver.accept(10, b"")
    assert receiver.offset == 10
    assert receiver.accept(10, content[10:])
    assert receiver.commit() == info


def test_another_transfer_takes_the_place_of_an_unfinished_one(
    tmp_path: Path, sample: tuple[SnapshotInfo, bytes]
) -> None:
    info, content = sample
    other, other_content = as_sent(12)
    store = opened(tmp_path / "store")
    first = store.receive(info)
    deliver(first, content[:-1])
    second = store.receive(other)
    (part,) = names(tmp_path / "store")
    assert part.startswith(name(12))
    with refused("raft.snapshot.gone"):
        first.accept(first.offset, content[-1:])
    with refused("raft.snapshot.gone"):
        first.commit()
    deliver(second, other_content)
    assert second.commit() == store.newest
    with refused("raft.snapshot.gone"):
        second.commit()


def test_an_unfinished_transfer_that_is_of_no_use_any_more_is_removed_at_open(
    tmp_path: Path, sample: tuple[SnapshotInfo, bytes]
) -> None:
    info, content = sample
    store = opened(tmp_path / "store")
    deliver(store.receive(info), content)
    store.close()
    written(store, 8)
    assert opened(tmp_path / "store").receive(info).offset == info.size - 40
    written(store, 9)
    opened(tmp_path / "store")
    assert names(tmp_path / "store") == [name(8), name(9)]
