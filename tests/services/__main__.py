"""Start a server in the foreground, or only install what the servers need.

A server runs until Ctrl-C, which throws its data away. `install` fetches what is missing, which takes too long to be
part of a test; what can't be had is an error with `CI=true`, and else only said.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.services import elasticsearch, elasticsearch_secure, java, kafka, mongodb_install
from tests.services.elasticsearch import ElasticsearchServer
from tests.services.kafka import KafkaServer
from tests.services.missing import ServiceMissing, must_have_services
from tests.services.mongodb import MongoReplicaSet


async def run_kafka(heap: str, port: int | None, topics: list[str]) -> None:
    """Run a broker; the first line printed is its address."""
    async with KafkaServer(jvm=java.lasting(heap), port=port) as server:
        for topic in topics:
            name, _, partitions = topic.partition(":")
            await server.create_topic(name, int(partitions or 1))
        await _until_told(server.bootstrap, server.log)


async def run_mongodb(port: int | None) -> None:
    """Run a replica set of one; the first line printed is its URI."""
    async with MongoReplicaSet(port=port) as server:
        await _until_told(server.uri, server.members[0].log)


async def run_elasticsearch(version: str, heap: str, port: int | None) -> None:
    """Run a node; the first line printed is its URL."""
    async with ElasticsearchServer(version, jvm=java.lasting(heap), port=port) as server:
        await _until_told(server.url, server.log)


async def _until_told(address: str, log: Path) -> None:
    """Return at Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(address, flush=True)
    print(f"log: {log}\nCtrl-C stops the server", file=sys.stderr, flush=True)
    await stop.wait()


def install() -> None:
    """Fetch what the servers need, all that can be had. Raises ServiceMissing for what can't."""
    missing = []
    for each in (kafka.install, mongodb_install.install, elasticsearch_secure.install, _install_newest):
        try:
            each()
        except ServiceMissing as error:
            missing.append(str(error))
    if missing:
        raise ServiceMissing("\n".join(dict.fromkeys(missing)))


def _install_newest() -> None:
    """The newest Elasticsearch is tested where there is a Java for it; not every Linux has one."""
    if java.find_java(*elasticsearch.JAVA[elasticsearch.NEWEST]) is not None:
        elasticsearch.install(elasticsearch.NEWEST)


def main() -> int:
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "kafka":
                asyncio.run(run_kafka(arguments.heap, arguments.port, arguments.topic))
            case "mongodb":
                asyncio.run(run_mongodb(arguments.port))
            case "elasticsearch":
                asyncio.run(run_elasticsearch(arguments.version, arguments.heap, arguments.port))
            case _:
                install()
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return 0 if arguments.command == "install" and not must_have_services() else 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    broker = commands.add_parser("kafka", help="run a Kafka broker in the foreground")
    broker.add_argument("--heap", default="1g", help="the Java heap (default: 1g)")
    broker.add_argument("--topic", action="append", default=[], metavar="NAME[:PARTITIONS]", help="create this topic")
    database = commands.add_parser("mongodb", help="run a MongoDB replica set of one in the foreground")
    node = commands.add_parser("elasticsearch", help="run an Elasticsearch node in the foreground, without security")
    node.add_argument("--heap", default="512m", help="the Java heap (default: 512m)")
    node.add_argument("--version", choices=elasticsearch.JAVA, default=elasticsearch.VERSION)
    for command in (broker, database, node):
        command.add_argument("--port", type=int, help="the port to listen on (default: a free one)")
    commands.add_parser("install", help="install what the servers need")
    return parser


if __name__ == "__main__":
    sys.exit(main())
