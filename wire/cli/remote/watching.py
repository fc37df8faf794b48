"""Shows something again and again: drawn in place on a terminal, elsewhere a line whenever it has changed."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from wire.cli.terminal import Style
from wire.core.errors import RetryableError, UnavailableError

T = TypeVar("T")

_EVERY_S: Final = 1.0


def watch(lines: Callable[[], Sequence[str]], line: Callable[[], str]) -> None:
    """Show `lines` on a terminal, `line` elsewhere, until Ctrl-C or until nobody reads on, which both end it well.

    A cluster that can't be asked at first is an error; later it is said, and asked again.
    """
    try:
        if Style(sys.stdout).terminal:
            _redraw(lines)
        else:
            _print_changes(line)
    except (KeyboardInterrupt, BrokenPipeError):
        return


def _redraw(lines: Callable[[], Sequence[str]]) -> None:
    from rich.live import Live
    from rich.text import Text

    shown = lines()
    with Live(auto_refresh=False) as live:  # which hides the cursor, and gives it back however it ends
        while True:
            live.update(Text.from_ansi("\n".join(shown)), refresh=True)
            time.sleep(_EVERY_S)
            shown = _told(lines, lambda reason: [Style(sys.stdout).red(reason)])


def _print_changes(line: Callable[[], str]) -> None:
    last, now = "", line()
    while True:
        if now != last:
            print(f"{datetime.datetime.now(datetime.UTC):%H:%M:%SZ}  {now}", flush=True)
            last = now
        time.sleep(_EVERY_S)
        now = _told(line, str)


def _told(look: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    try:
        return look()
    except (RetryableError, UnavailableError) as exc:
        return otherwise(f"no answer: {exc.message}")
