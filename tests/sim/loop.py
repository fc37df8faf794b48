"""An event loop whose time is virtual: hours take milliseconds, and waiting for nothing is noticed."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, ParamSpec

P = ParamSpec("P")

_MOST_STEPS: Final = 2_000_000


class StuckError(Exception):
    """Everybody waits and nothing will ever happen, or things happen without end."""


class SimLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer whenever all tasks wait; raises StuckError when there is none."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.complaints: list[dict[str, Any]] = []
        super().__init__(_Jumping(self))
        self.set_exception_handler(lambda _, context: self.complaints.append(context))

    def time(self) -> float:
        return self.now_s

    def run_in_executor(  # type: ignore[override]  # time stands still while threads work
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(executor.submit(func, *args).result() if executor else func(*args))
        except Exception as exc:
            future.set_exception(exc)
        return future


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: SimLoop) -> None:
        super().__init__()
        self._loop = loop
        self._steps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._steps += 1
        if timeout is None or self._steps == _MOST_STEPS:
            raise StuckError("\n".join(map(repr, asyncio.all_tasks(self._loop))))
        self._loop.now_s += timeout
        return super().select(0)


class LoopClock:
    """The loop's virtual time as a `wire.core.clock.Clock`."""

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test on a `SimLoop`; it fails when it leaves a task or an error behind."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=SimLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, SimLoop)
            runner.run(test(*args, **kwargs))
            assert not loop.complaints
            assert not asyncio.all_tasks(loop)

    return run
