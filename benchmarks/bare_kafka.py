"""The rival: a hand-written aiokafka loop. `python -m benchmarks.bare_kafka JSON`, until SIGTERM.

What somebody who knows the client would write for this one job: the batch calls, typed decoding of only the fields
that are needed, one encoder. It keeps no positions, retries nothing and dead-letters nothing.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks import jobs
from benchmarks.clients import DEADLINE_S, consuming, producing, run, send


class Loop(msgspec.Struct):
    """Copy `source` to `target` through the filter and the select."""

    bootstrap: str
    source: str
    target: str


async def loop(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, target: str) -> None:
    """Copy for ever, one batch ahead of the broker."""
    decode = msgspec.json.Decoder(jobs.FlightIn).decode
    encode = msgspec.json.Encoder().encode
    convert = jobs.convert
    sent: asyncio.Future[object] | None = None
    while True:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=2000)
        builder = producer.create_batch()
        for records in fetched.values():
            for record in records:
                flight = decode(record.value)
                if flight.dep_delay > 0:
                    builder.append(timestamp=record.timestamp, key=record.key, value=encode(convert(flight)))
        if builder.record_count():
            builder.close()
            if sent is not None:
                await asyncio.wait_for(sent, DEADLINE_S)
            sent = await send(producer, target, builder)


async def main(task: Loop) -> None:
    """Run the loop until SIGTERM."""
    async with (
        consuming(task.bootstrap, task.source) as consumer,
        producing(task.bootstrap, idempotent=True) as producer,
        asyncio.TaskGroup() as tasks,
    ):
        copying = tasks.create_task(loop(consumer, producer, task.target))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, copying.cancel)


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Loop)))
