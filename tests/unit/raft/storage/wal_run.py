"""A log that is changed at random, with all that it may hold after a crash."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.sim.disk import SimulatedFiles
from tests.unit.raft.storage.log_model import Content, change, content
from wire.raft.storage.wal import WriteAheadLog

ME = b"cluster/member"
Stop = Callable[[SimulatedFiles], None]


def opened(disk: SimulatedFiles, *, segment_bytes: int = 3000) -> WriteAheadLog:
    return WriteAheadLog(disk, ME, segment_bytes=segment_bytes, compress=True)


class Run:
    """A log that is changed at random, with all that its content may be after a crash: first what was synced."""

    def __init__(self, disk: SimulatedFiles) -> None:
        self.disk = disk
        self.log: WriteAheadLog | None = None
        self.possible = [Content()]

    def work(self, random: Random, steps: int) -> None:
        """Open, change, sync and tidy."""
        self.log = opened(self.disk)
        self.check()
        for _ in range(steps):
            self.possible.append(change(self.log, self.possible[-1], random))
            if random.random() < 0.3:
                self.log.sync()
                del self.possible[:-1]
            if random.random() < 0.2:
                self.log.tidy()

    def check(self) -> None:
        """Check what a log that was just opened holds. From now on that, and nothing else, must be there."""
        assert self.log is not None
        found = content(self.log)
        assert found in self.possible
        self.possible = [found]

    def restart(self, stop: Stop) -> None:
        """Stop, open, and then cut the power: what a log has shown once must survive anything."""
        stop(self.disk)
        for _ in range(2):
            self.log = opened(self.disk)
            self.check()
            self.disk.cut_power()
