"""What can go wrong with a call, as values that a test writes down as a script."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from wire.core.clock import Clock
from wire.core.errors import WireError


class Crash(Exception):  # noqa: N818 (it is no error of the sink's)
    """Stands for the death of the process: nothing catches it on purpose."""


class Raise(Struct, frozen=True):
    """A write that raises after the first `after` records of it were written."""

    error: Exception
    after: int = 0


class Reject(Struct, frozen=True):
    """A write in which the records with these values fail, each with its error; the others are written."""

    errors: Mapping[bytes, WireError]


class Delay(Struct, frozen=True):
    """A write that takes this long, on the sink's clock."""

    seconds: float


class Hang(Struct, frozen=True):
    """A write that waits until the test sets `until`."""

    until: asyncio.Event


Step = Raise | Reject | Delay | Hang | None
"""What one call does; None succeeds at once."""


class Play:
    """Plays a script of steps, one per call; behind its end every call succeeds."""

    def __init__(self, steps: Iterable[Step], clock: Clock) -> None:
        """Play `steps`, with delays on `clock`."""
        self._steps: Iterator[Step] = itertools.chain(steps, itertools.repeat(None))
        self._clock = clock

    def now(self, *steps: Step) -> None:
        """Put steps before those that are left."""
        self._steps = itertools.chain(steps, self._steps)

    async def step(self) -> Raise | Reject | None:
        """Take the next step; what is left to do when it has waited is returned."""
        match next(self._steps):
            case Delay(seconds=seconds):
                await self._clock.sleep(seconds)
            case Hang(until=until):
                await until.wait()
            case Raise() | Reject() as step:
                return step
        return None

    async def step_or_raise(self) -> None:
        """Take the next step where there are no records to write some of."""
        if isinstance(step := await self.step(), Raise):
            raise step.error
