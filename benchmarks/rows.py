"""Lines of the table, and how figures are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from benchmarks.arithmetic import Spread


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `aim` says what was asked for and `met` whether it was reached, None where nothing was."""

    what: str
    wire: str
    rival: str = ""
    ratio: str = ""
    aim: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """The aim with whether it was reached."""
        return self.aim if self.met is None else f"{self.aim}: {'reached' if self.met else '**missed**'}"


def plain(found: Iterable[Row]) -> str:
    """Return lines as plain text."""
    rows = [("", "Wire", "beside it", "Wire : rival", "aim")]
    rows += [(row.what, row.wire, row.rival, row.ratio, row.verdict.replace("*", "")) for row in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(rows: Sequence[Row]) -> str:
    """Return lines as a table of Markdown."""
    lines = ["| | Wire | beside it | Wire : rival | aim |", "|---|---|---|---|---|"]
    lines += [f"| {row.what} | **{row.wire}** | {row.rival} | {row.ratio} | {row.verdict} |" for row in rows]
    return "\n".join(lines)


def thousands(found: Spread) -> str:
    """Return a large figure with its spread."""
    return f"{found.median:,.0f} ({found.low / 1000:,.0f}k-{found.high / 1000:,.0f}k)"


def decimals(found: Spread, places: int) -> str:
    """Return a figure with its spread, where there is one."""
    low, median, high = (f"{value:.{places}f}" for value in (found.low, found.median, found.high))
    return median if low == high else f"{median} ({low}-{high})"
