"""Start a server in the foreground: `python -m tests.services kafka`. Ctrl-C stops it and throws its data away."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from tests.services.kafka import KafkaServer
from tests.services.missing import ServiceMissing


async def kafka(heap: str, port: int | None, topics: list[str]) -> None:
    """Run a broker until Ctrl-C or SIGTERM; the first line printed is its address."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with KafkaServer(heap=heap, port=port) as server:
        for topic in topics:
            name, _, partitions = topic.partition(":")
            await server.create_topic(name, int(partitions or 1))
        print(server.bootstrap, flush=True)
        print(f"log: {server.log}\nCtrl-C stops the broker", file=sys.stderr, flush=True)
        await stop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    parser.add_argument("service", choices=["kafka"])
    parser.add_argument("--heap", default="1g", help="the Java heap (default: 1g)")
    parser.add_argument("--port", type=int, help="the port to listen on (default: a free one)")
    parser.add_argument("--topic", action="append", default=[], metavar="NAME[:PARTITIONS]", help="create this topic")
    arguments = parser.parse_args()
    try:
        asyncio.run(kafka(arguments.heap, arguments.port, arguments.topic))
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
