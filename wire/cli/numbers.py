"""Numbers as people read them."""

from __future__ import annotations

_KIBI = 1024


def count(number: int) -> str:
    """27004 → `27,004`."""
    return f"{number:,}"


def size(number: float) -> str:
    """Bytes with the unit that keeps them short: 1536 → `1.5 KiB`."""
    if number < _KIBI:
        return f"{number:.0f} B"
    units = iter(("KiB", "MiB", "GiB", "TiB"))
    unit = ""
    while number >= _KIBI and (larger := next(units, None)):
        number, unit = number / _KIBI, larger
    return f"{number:.1f} {unit}"


def rate(per_second: float) -> str:
    """Records per second; one digit after the point only where it says something."""
    return f"{per_second:,.1f}/s" if 0 < per_second < 10 else f"{per_second:,.0f}/s"


def duration(seconds: float) -> str:
    """3725 → `1h02m05s`, 0.4 → `0.4s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m{rest:02}s"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def behind(records: int | None, size_bytes: int | None, seconds: float | None = None) -> str:
    """How far an end is away, in what is known of it: `310 records and 1.5 KiB, 2.0s`. Nothing where nothing is."""
    amounts = [
        *([] if records is None else [f"{count(records)} records"]),
        *([] if size_bytes is None else [size(size_bytes)]),
    ]
    late = [] if seconds is None or (amounts and not seconds) else [duration(seconds)]
    return ", ".join([*([" and ".join(amounts)] if amounts else []), *late])
