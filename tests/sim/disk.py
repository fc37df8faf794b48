"""A disk that fails as disks do: a folder behind the `Files` port, in memory, repeatable from a seed.

What a power cut leaves (`cut_power`): of content that was not synced any part, sector by sector (512 bytes): a sector
is as it was at some moment since the last sync, so a write may be partly there, or be there without an earlier one;
what is missing below the file's length is zeros, and the length is anything between the synced one and the last one. Of
names that were not synced any subset of the changes, a rename being there whole or not at all. A killed process
(`kill`) leaves everything, synced or not.

A `fuse` blows at the n-th persist point: every operation that changes something has one before and one after its
effect. `room` is how many bytes all files together may have: an append beyond it leaves a part and raises ENOSPC. A
sync that fails (`fail_sync_in`) raises EIO and, as Linux does, forgets what was to be written: it can still be read, is
taken for clean by the next sync, and a power cut shows that it never reached the disk.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random

SECTOR = 512


class Crash(BaseException):
    """The fuse has blown: nothing works any more until the power was cut or the process killed."""


class _Node:
    """A file's content: `cache` is what programs see, `blocks[:length]` what is on the disk."""

    def __init__(self) -> None:
        self.cache = bytearray()
        self.blocks = bytearray()
        self.length = 0
        self.dirty: set[int] = set()
        self.cut: int | None = None  # the lowest length it was truncated to since the last sync

    def append(self, data: bytes) -> None:
        first = len(self.cache) // SECTOR
        self.cache += data
        self.dirty.update(range(first, -(-len(self.cache) // SECTOR)))

    def truncate(self, size: int) -> None:
        del self.cache[size:]
        self.dirty = {sector for sector in self.dirty if sector * SECTOR < size}
        self.cut = size if self.cut is None else min(self.cut, size)

    def sync(self) -> None:
        self._apply_cut()
        self._write(sorted(self.dirty))
        self.dirty.clear()
        self.length = len(self.cache)
        self._pad()

    def write_back(self, random: Random) -> None:
        """Write some of it, as the kernel does at any time."""
        self._apply_cut()
        some = [sector for sector in sorted(self.dirty) if random.random() < 0.5]
        self._write(some)
        self.dirty.difference_update(some)
        if random.random() < 0.5:
            self.length = random.randint(min(self.length, len(self.cache)), len(self.cache))
            self._pad()

    def forget(self) -> None:
        """Take what was to be written for written."""
        self.dirty.clear()

    def cut_power(self, random: Random) -> None:
        if self.cut is not None and random.random() < 0.5:
            self.cut = None  # neither the truncation nor anything after it
        else:
            self._apply_cut()
            share = random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
            self._write([sector for sector in sorted(self.dirty) if random.random() < share])
            low, high = sorted((self.length, len(self.cache)))
            if low == self.length:  # a file that is shorter than it was has been truncated, which was dealt with above
                self.length = random.choice((low, high, random.randint(low, high)))
        del self.blocks[self.length :]
        self._pad()
        self.dirty.clear()
        self.cache = bytearray(self.blocks[: self.length])

    def _write(self, sectors: list[int]) -> None:
        for sector in sectors:
            start = sector * SECTOR
            piece = self.cache[start : start + SECTOR]
            if len(self.blocks) < start + len(piece):
                self.blocks.extend(bytes(start + len(piece) - len(self.blocks)))
            self.blocks[start : start + len(piece)] = piece

    def _pad(self) -> None:
        self.blocks.extend(bytes(max(0, self.length - len(self.blocks))))

    def _apply_cut(self) -> None:
        if self.cut is not None:
            del self.blocks[self.cut :]
            self.length = min(self.length, self.cut)
            self.cut = None


class SimulatedFile:
    """A file of `SimulatedFiles`; of no use any more after a crash."""

    def __init__(self, disk: SimulatedFiles, node: _Node) -> None:
        self._disk = disk
        self._node = node
        self._boot = disk.boot

    @property
    def size(self) -> int:
        return len(self._node.cache)

    def append(self, data: bytes) -> None:
        self._alive()
        with_room = data[: self._disk.left()]
        self._disk.change(lambda: self._node.append(with_room))
        if len(with_room) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")

    def read(self, offset: int, size: int) -> bytes:
        self._alive()
        return bytes(self._node.cache[offset : offset + size])

    def truncate(self, size: int) -> None:
        self._alive()
        self._disk.change(lambda: self._node.truncate(size))

    def sync(self) -> None:
        self._alive()
        self._disk.sync_or_fail(self._node.sync, self._node.forget)

    def close(self) -> None:
        pass

    def _alive(self) -> None:
        if self._boot != self._disk.boot:
            raise Crash("this file was opened before the crash")


class SimulatedFiles:
    """A folder on a disk that fails as it is told, and otherwise as `random` has it."""

    def __init__(self, random: Random, *, room: int | None = None) -> None:
        self.random = random
        self.room = room
        self.fuse: int | None = None
        """How many persist points from now on the crash comes: 1 is the next."""
        self.fail_sync_in: int | None = None
        """Which sync from now on fails, of a file or of the folder: 1 is the next."""
        self.points = 0
        """How many persist points there have been."""
        self.syncs = 0
        """How many syncs of files or the folder have been asked for."""
        self.boot = 0
        self._crashed = False
        self._names: dict[str, _Node] = {}
        self._synced_names: dict[str, _Node] = {}
        self._changes: list[Callable[[dict[str, _Node]], None]] = []

    # what the port asks for

    def path(self, name: str) -> str:
        return f"/disk/{name}"

    def names(self) -> list[str]:
        self._alive()
        return sorted(self._names)

    def create(self, name: str) -> SimulatedFile:
        node = _Node()

        def bind(names: dict[str, _Node]) -> None:
            names[name] = node

        self._change_names(bind)
        return SimulatedFile(self, node)

    def open(self, name: str) -> SimulatedFile:
        self._alive()
        return SimulatedFile(self, self._node(name))

    def rename(self, old: str, new: str) -> None:
        self._alive()
        node = self._node(old)

        def move(names: dict[str, _Node]) -> None:
            if names.get(old) is node:
                del names[old]
            names[new] = node

        self._change_names(move)

    def remove(self, name: str) -> None:
        self._alive()
        node = self._names.get(name)

        def unbind(names: dict[str, _Node]) -> None:
            if node is not None and names.get(name) is node:
                del names[name]

        self._change_names(unbind)

    def sync(self) -> None:
        self.sync_or_fail(self._sync_names, lambda: None)  # a journal that failed is not taken for written

    # what goes wrong

    def kill(self) -> None:
        """End the process: what it wrote is there, its files are closed."""
        self.boot += 1
        self.fuse = self.fail_sync_in = None
        self._crashed = False

    def cut_power(self) -> None:
        """Leave what a power cut leaves, and begin anew with it."""
        self.kill()
        for change in self._changes:
            if self.random.random() < 0.5:
                change(self._synced_names)
        self._changes.clear()
        for node in {id(node): node for node in self._synced_names.values()}.values():
            node.cut_power(self.random)
        self._names = dict(self._synced_names)

    def content(self, name: str) -> bytes:
        """Return what a program would read."""
        return bytes(self._node(name).cache)

    def damage(self, name: str, offset: int, mask: int = 1) -> None:
        """Flip bits of a byte, in the cache and on the disk."""
        node = self._node(name)
        node.cache[offset] ^= mask
        if offset < len(node.blocks):
            node.blocks[offset] ^= mask

    def put(self, name: str, content: bytes) -> None:
        """Make a file that is durable at once."""
        node = _Node()
        node.append(content)
        node.sync()
        self._names[name] = self._synced_names[name] = node

    def drop(self, name: str) -> None:
        """Lose a file, durably."""
        del self._names[name]
        self._synced_names.pop(name, None)

    # for files of this folder

    def left(self) -> int | None:
        """How many bytes there is room for; None is any number."""
        if self.room is None:
            return None
        return max(0, self.room - sum(len(node.cache) for node in self._names.values()))

    def change(self, effect: Callable[[], None]) -> None:
        """Have an effect between two persist points, sometimes with some of what waits written early."""
        self._point()
        effect()
        if self.random.random() < 0.1:
            for name in sorted(self._names):
                self._names[name].write_back(self.random)
        self._point()

    def sync_or_fail(self, effect: Callable[[], None], forget: Callable[[], None]) -> None:
        """Sync, or forget what there was to sync and fail."""
        self._point()
        self.syncs += 1
        if self.fail_sync_in is not None:
            self.fail_sync_in -= 1
            if self.fail_sync_in == 0:
                self.fail_sync_in = None
                forget()
                raise OSError(errno.EIO, "Input/output error")
        effect()
        self._point()

    def _change_names(self, change: Callable[[dict[str, _Node]], None]) -> None:
        def effect() -> None:
            change(self._names)
            self._changes.append(change)

        self.change(effect)

    def _sync_names(self) -> None:
        self._synced_names = dict(self._names)
        self._changes.clear()

    def _node(self, name: str) -> _Node:
        if name not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        return self._names[name]

    def _point(self) -> None:
        self._alive()
        self.points += 1
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                self._crashed = True
                self._alive()

    def _alive(self) -> None:
        if self._crashed:
            raise Crash("the fuse has blown")
