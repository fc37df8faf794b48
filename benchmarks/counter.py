"""Counts at the destination: `python -m benchmarks.counter JSON`. Prints one JSON line at the end."""

from __future__ import annotations

import array
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks import jobs
from benchmarks.arithmetic import Latency, latency
from benchmarks.clients import consuming, run


class Count(msgspec.Struct):
    """Read the topic until it has had every expected record, or `patience_s` pass without one.

    `expected` are the record numbers below it that the filter keeps (all of them with `filtered` false). Latency is
    taken of records numbered `warm_up` and above.
    """

    bootstrap: str
    topic: str
    expected: int
    filtered: bool = True
    warm_up: int = 0
    patience_s: float = 20.0
    latencies: bool = False


class Counted(msgspec.Struct):
    """What arrived: `missing` and `repeated` are 0 when the destination has every record once.

    `first_ns` is when the first record was seen (monotonic). `worst` has the greatest latency of each second in ms.
    """

    records: int
    missing: int
    repeated: int
    unexpected: int
    first_ns: int | None = None
    latency: Latency | None = None
    worst: list[float] = []


class Tally:
    """Which record numbers have been seen, out of those expected."""

    def __init__(self, expected: int, *, filtered: bool) -> None:
        self._seen = bytearray(expected)
        self._filtered = filtered
        self._outstanding = jobs.kept(expected) if filtered else expected
        self.records = self.repeated = self.unexpected = 0

    @property
    def missing(self) -> int:
        """How many expected records have not been seen."""
        return self._outstanding

    def add(self, number: int) -> None:
        """Count one record."""
        self.records += 1
        if not 0 <= number < len(self._seen) or (self._filtered and number % 10 >= jobs.KEPT_OF_TEN):
            self.unexpected += 1
        elif self._seen[number]:
            self.repeated += 1
        else:
            self._seen[number] = 1
            self._outstanding -= 1


class Latencies:
    """Time from a record's stamp to when it was seen."""

    def __init__(self, warm_up: int) -> None:
        self._warm_up = warm_up
        self._values = array.array("q")
        self._worst: dict[int, int] = {}

    def add(self, number: int, stamp_ns: int, now_ns: int) -> None:
        """Take the latency of one record seen now."""
        if number < self._warm_up:
            return
        value = now_ns - stamp_ns
        self._values.append(value)
        second = stamp_ns // 10**9
        self._worst[second] = max(value, self._worst.get(second, 0))

    def summary(self) -> tuple[Latency | None, list[float]]:
        """Return the percentiles, and the greatest latency of each second in milliseconds."""
        worst = [round(self._worst[second] / 1e6, 2) for second in sorted(self._worst)]
        return (latency(self._values) if self._values else None), worst


async def count(consumer: AIOKafkaConsumer, task: Count) -> Counted:
    """Read until everything is there or nothing comes any more."""
    decode = msgspec.json.Decoder(jobs.Stamp).decode
    tally = Tally(task.expected, filtered=task.filtered)
    latencies = Latencies(task.warm_up)
    first_ns = None
    while tally.missing:
        fetched = await consumer.getmany(timeout_ms=int(task.patience_s * 1000))
        now_ns = time.monotonic_ns()
        if not fetched:
            break
        first_ns = first_ns or now_ns
        for records in fetched.values():
            for record in records:
                stamp = decode(record.value)
                tally.add(stamp.id - jobs.ID_BASE)
                if task.latencies:
                    latencies.add(stamp.id - jobs.ID_BASE, stamp.ts - jobs.TS_BASE, now_ns)
    summary, worst = latencies.summary()
    return Counted(tally.records, tally.missing, tally.repeated, tally.unexpected, first_ns, summary, worst)


async def main(task: Count) -> None:
    """Do one task and report it; the line `ready` says that reading has begun."""
    async with consuming(task.bootstrap, task.topic) as consumer:
        print("ready", flush=True)
        counted = await count(consumer, task)
    print(msgspec.json.encode(counted).decode(), flush=True)


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Count)))
