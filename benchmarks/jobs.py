"""The work that is measured: the records, the filter and the select, and the pipelines that say so to Wire."""

from __future__ import annotations

import msgspec

RECORD_BYTES = 180
TS_BASE = 10**18
"""Added to monotonic nanoseconds, so that a time stamp always has 19 digits and a record always 180 bytes."""
ID_BASE = 10**9
KEPT_OF_TEN = 9
"""Of ten consecutive records the filter keeps this many."""

FILTER = "dep_delay > 0"
SELECT = (
    "ts, id, upper(carrier) AS carrier, flight, origin, dest, "
    "dep_delay, dep_delay * 60 AS delay_s, distance, tail_number"
)

_CARRIERS = ("ua", "aa", "b6", "dl", "ev", "mq", "us", "wn", "vx", "fl")
_AIRPORTS = ("EWR", "JFK", "LGA", "IAH", "MIA", "BQN", "ATL", "ORD", "FLL", "IAD")


class FlightIn(msgspec.Struct):
    """What the hand-written loops decode: the fields they need and no more."""

    ts: int
    id: int
    carrier: str
    flight: int
    origin: str
    dest: str
    dep_delay: int
    distance: int
    tail_number: str


class FlightOut(msgspec.Struct):
    """What the hand-written loops write, equal to what `SELECT` makes."""

    ts: int
    id: int
    carrier: str
    flight: int
    origin: str
    dest: str
    dep_delay: int
    delay_s: int
    distance: int
    tail_number: str


class Stamp(msgspec.Struct):
    """What the counter reads of a record at the destination."""

    ts: int
    id: int


_TAILS = [
    (
        b',"carrier":"%s","flight":%d,"origin":"%s","dest":"%s","dep_delay":%d,"distance":%d,"tail_number":"N%05d"'
        % (
            _CARRIERS[i % 10].encode(),
            1000 + i * 7,
            _AIRPORTS[i % 3].encode(),
            _AIRPORTS[3 + i % 7].encode(),
            # one record in ten is on time, and filtered
            10 + i if i % 10 < KEPT_OF_TEN else -10,
            1000 + i * 31,
            i * 997 % 100_000,
        )
    )
    for i in range(90)
]


def value(number: int, ts_ns: int) -> bytes:
    """Return record `number` with a time stamp in monotonic nanoseconds: a JSON object of `RECORD_BYTES`."""
    body = b'{"ts":%d,"id":%d%s,"note":"' % (TS_BASE + ts_ns, ID_BASE + number, _TAILS[number % 90])
    return body + b"x" * (RECORD_BYTES - len(body) - 2) + b'"}'


def kept(count: int) -> int:
    """Return how many of the first `count` records the filter keeps."""
    return count // 10 * KEPT_OF_TEN + min(count % 10, KEPT_OF_TEN)


def convert(flight: FlightIn) -> FlightOut:
    """Return what `SELECT` makes of a record."""
    return FlightOut(
        flight.ts,
        flight.id,
        flight.carrier.upper(),
        flight.flight,
        flight.origin,
        flight.dest,
        flight.dep_delay,
        flight.dep_delay * 60,
        flight.distance,
        flight.tail_number,
    )
