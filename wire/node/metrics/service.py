"""Everything a node counts, as the API asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from wire.api.ports import Exposition
from wire.core.timings import Timings
from wire.node.metrics import declarations as m
from wire.node.metrics.sheet import Sheet
from wire.raft.threads import in_thread

Reader = Callable[[Sheet], None]

_LOOK_S: Final = 0.5


class MetricsService:
    """Asks all `readers` for a scrape; one scrape at a time (I8)."""

    def __init__(self, *readers: Reader) -> None:
        """Be ready. Readers are called on the event loop and must return at once; see `Sheet.later`."""
        self._readers = readers
        self._one = asyncio.Lock()

    async def text(self, accept: str) -> Exposition:
        """Return all metrics, in the format that `accept` prefers of those that Prometheus reads."""
        async with self._one:
            sheet = Sheet()
            for read in self._readers:
                read(sheet)
            return await in_thread(sheet.text, accept)


class LoopWatch:
    """Measures how late the event loop is."""

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._delays = Timings()

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self._delays.observe(max(0.0, loop.time() - due))

    def put_on(self, sheet: Sheet) -> None:
        """Have a sheet show it."""
        sheet.put(m.LOOP_DELAY, self._delays)
