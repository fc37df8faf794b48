"""The rival for Elasticsearch: a hand-written loop. `python -m benchmarks.bare_elasticsearch JSON`, until SIGTERM.

What somebody who knows both clients would write: records are never decoded, a fetch is one bulk body of bytes, as
many requests are under way as Wire has, and only of whether anything failed is the answer read. A document's id is
its place in the topic, as Wire's is. It keeps no positions, sends again only what a busy cluster turned away as a
whole (429), and stops at any other error.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec
from aiokafka import AIOKafkaConsumer
from elasticsearch import ApiError, AsyncElasticsearch

from benchmarks.clients import DEADLINE_S, consuming, run

_IN_FLIGHT = 4
_PAUSE_S = 0.1
_BUSY = 429


class Index(msgspec.Struct):
    """Copy the topic `source` to an index."""

    bootstrap: str
    source: str
    url: str
    index: str


async def loop(consumer: AIOKafkaConsumer, client: AsyncElasticsearch, task: Index) -> None:
    """Copy for ever."""
    head = f'{{"index":{{"_id":"{task.source}/%d/%d"}}}}\n%b\n'.encode()
    free = asyncio.Semaphore(_IN_FLIGHT)

    async def write(body: bytes) -> None:
        while True:
            try:
                answer = await client.bulk(index=task.index, operations=body, filter_path="errors")  # type: ignore[arg-type]
                break
            except ApiError as error:
                if error.status_code != _BUSY:
                    raise
                await asyncio.sleep(_PAUSE_S)
        if answer["errors"]:
            raise ValueError("a document was not written")
        free.release()

    async with asyncio.TaskGroup() as writes:
        while True:
            await free.acquire()
            fetched = await consumer.getmany(timeout_ms=1000, max_records=2000)
            body = b"".join(
                [head % (each.partition, each.offset, each.value) for records in fetched.values() for each in records]
            )
            if body:
                writes.create_task(write(body))
            else:
                free.release()


async def main(task: Index) -> None:
    """Run the loop until SIGTERM."""
    async with (
        consuming(task.bootstrap, task.source) as consumer,
        AsyncElasticsearch(task.url, request_timeout=DEADLINE_S, connections_per_node=_IN_FLIGHT) as client,
        asyncio.TaskGroup() as tasks,
    ):
        copying = tasks.create_task(loop(consumer, client, task))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, copying.cancel)


if __name__ == "__main__":
    run(main(msgspec.json.decode(sys.argv[1], type=Index)))
