"""Start a server in the foreground, or only install what the servers need.

`kafka` runs a broker until Ctrl-C, which throws its data away. `install` fetches what is missing, which takes too long
to be part of a test; what can't be had is an error with `CI=true`, and else only said.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from tests.services.kafka import KafkaServer, install
from tests.services.missing import ServiceMissing, must_have_services


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
    commands = parser.add_subparsers(dest="command", required=True)
    broker = commands.add_parser("kafka", help="run a Kafka broker in the foreground")
    broker.add_argument("--heap", default="1g", help="the Java heap (default: 1g)")
    broker.add_argument("--port", type=int, help="the port to listen on (default: a free one)")
    broker.add_argument("--topic", action="append", default=[], metavar="NAME[:PARTITIONS]", help="create this topic")
    commands.add_parser("install", help="install what the servers need")
    arguments = parser.parse_args()
    try:
        if arguments.command == "install":
            install()
        else:
            asyncio.run(kafka(arguments.heap, arguments.port, arguments.topic))
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return 0 if arguments.command == "install" and not must_have_services() else 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
