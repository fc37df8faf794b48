from __future__ import annotations

import random
import resource
import shutil
import sqlite3
from pathlib import Path

import pytest

from wire.core.errors import FatalError, FencedError, RetryableError, UnavailableError
from wire.core.records import Checkpoint, Fingerprint, PartitionId, PartitionKey, Position
from wire.pipelines.engine.checkpoints import SqliteCheckpoints

P = PartitionKey("in", PartitionId("topic/0"))


def checkpoint(seq: int, generation: int = 0, sink: bytes | None = None) -> Checkpoint:
    position = Position(b"%d" % seq)
    return Checkpoint(generation=generation, seq=seq, position=position, source=Fingerprint(b"f"), sink=sink)


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path / "new" / "folder")
    epoch = await store.begin()
    await store.commit(epoch, {P: checkpoint(1, sink=b"token")})
    await store.commit(epoch, {P: checkpoint(2, sink=b"token2")})
    await store.close()
    await store.close()
    again = SqliteCheckpoints(tmp_path / "new" / "folder")
    assert await again.load() == {P: checkpoint(2, sink=b"token2")}
    assert await again.begin() == epoch + 1
    await again.close()


async def test_an_older_epoch_can_not_commit(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path)
    old = await store.begin()
    await store.begin()
    with pytest.raises(FencedError):
        await store.commit(old, {P: checkpoint(1)})
    assert await store.load() == {}
    await store.close()


@pytest.mark.parametrize("stale", [checkpoint(2), checkpoint(1), checkpoint(9, generation=-1)])
async def test_a_checkpoint_never_moves_back_and_a_bad_one_takes_the_others_with_it(
    tmp_path: Path, stale: Checkpoint
) -> None:
    store = SqliteCheckpoints(tmp_path)
    epoch = await store.begin()
    await store.commit(epoch, {P: checkpoint(2)})
    other = PartitionKey("in", PartitionId("topic/1"))
    with pytest.raises(FencedError):
        await store.commit(epoch, {other: checkpoint(1), P: stale})
    assert await store.load() == {P: checkpoint(2)}
    await store.close()


async def test_a_reset_forgets_positions_and_raises_the_generation(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path)
    await store.commit(await store.begin(), {P: checkpoint(2)})
    await store.reset()
    assert await store.load() == {}
    assert await store.generation() == 1
    await store.close()


async def test_a_folder_in_use_is_refused_with_the_process_that_holds_it(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path)
    with pytest.raises(UnavailableError, match="in use by another run") as caught:
        SqliteCheckpoints(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("checkpoint.locked", 3)
    await store.close()
    await SqliteCheckpoints(tmp_path).close()


async def test_a_flipped_byte_is_detected_never_served(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path)
    await store.commit(await store.begin(), {P: checkpoint(2)})
    await store.close()
    with sqlite3.connect(tmp_path / "checkpoints.sqlite") as db:
        db.execute("UPDATE checkpoints SET position = x'33'")
    db.close()
    store = SqliteCheckpoints(tmp_path)
    with pytest.raises(FatalError) as caught:
        await store.load()
    assert caught.value.code == "checkpoint.damaged"
    await store.close()


async def test_a_file_that_is_no_database_is_reported_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "checkpoints.sqlite").write_bytes(b"garbage " * 1000)
    with pytest.raises(FatalError) as caught:
        SqliteCheckpoints(tmp_path)
    assert caught.value.code == "checkpoint.damaged"
    assert (tmp_path / "checkpoints.sqlite").read_bytes().startswith(b"garbage")


async def test_a_path_that_can_not_be_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError) as caught:
        SqliteCheckpoints(tmp_path / "file")
    assert caught.value.code == "checkpoint.unavailable"


def test_a_disk_that_is_full_at_the_start_is_reported(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(UnavailableError) as caught:
            SqliteCheckpoints(tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (caught.value.code, bool(caught.value.hint)) == ("checkpoint.unavailable", True)


async def test_a_full_disk_is_retryable_and_the_commit_succeeds_when_there_is_room(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path)
    epoch = await store.begin()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = {PartitionKey("in", PartitionId(f"p{i}")): checkpoint(1, sink=b"x" * 10_000) for i in range(100)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(RetryableError) as caught:
            await store.commit(epoch, big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "checkpoint.disk_full"
    await store.commit(epoch, big)
    assert len(await store.load()) == 100
    await store.close()


async def test_a_file_another_program_holds_is_waited_for(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path)
    epoch = await store.begin()
    other = sqlite3.connect(tmp_path / "checkpoints.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RetryableError) as caught:
        await store.commit(epoch, {P: checkpoint(1)})
    assert caught.value.code == "checkpoint.unavailable"
    other.execute("ROLLBACK")
    other.close()
    await store.commit(epoch, {P: checkpoint(1)})
    assert await store.load() == {P: checkpoint(1)}
    await store.close()


async def test_whichever_bit_flips_after_a_kill_the_last_commit_is_served_or_nothing(tmp_path: Path) -> None:
    store = SqliteCheckpoints(tmp_path / "live")
    epoch = await store.begin()
    kept = {PartitionKey("in", PartitionId(f"topic/{i}")): checkpoint(1) for i in range(60)}
    for seq in range(1, 4):
        kept = dict.fromkeys(kept, checkpoint(seq, sink=b"token"))
        await store.commit(epoch, kept)
    shutil.copytree(tmp_path / "live", tmp_path / "killed")
    await store.close()
    rng = random.Random(7)
    for number in range(150):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "killed", folder)
        flip_a_bit(rng.choice([path for path in folder.iterdir() if path.name.startswith("checkpoints")]), rng)
        try:
            damaged = SqliteCheckpoints(folder)
        except FatalError as exc:
            assert exc.code == "checkpoint.damaged"  # noqa: PT017
            continue
        try:
            assert (await damaged.begin(), await damaged.generation(), await damaged.load()) == (epoch + 1, 0, kept)
        except FatalError as exc:
            assert exc.code == "checkpoint.damaged"  # noqa: PT017
        await damaged.close()


def flip_a_bit(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)


async def test_a_format_of_the_future_is_refused(tmp_path: Path) -> None:
    await SqliteCheckpoints(tmp_path).close()
    with sqlite3.connect(tmp_path / "checkpoints.sqlite") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(FatalError, match="format is 9"):
        SqliteCheckpoints(tmp_path)
