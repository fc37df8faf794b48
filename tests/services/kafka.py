"""One Apache Kafka broker (KRaft, with the controller in the same process) that a test may kill, freeze and restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.services import java
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_config import REPLICATED, Listeners, Plain, second_broker_properties, server_properties
from tests.services.ports import free_ports
from tests.services.process import Process
from tests.services.server import Server

VERSION: Final = "4.1.0"
_ARTIFACTS: Final = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
_FORMAT_DEADLINE_S: Final = 60.0
_CLUSTER_ID: Final = "d2lyZS10ZXN0LWJyb2tlcg"


def install() -> tuple[str, Path]:
    """Return the Java program and the folder of Kafka's jars, fetched if need be. Raises ServiceMissing."""
    return java.java(), java.jars(f"kafka-{VERSION}", *_ARTIFACTS)


class Replicated(Plain):
    """Of a broker that has another one beside it."""

    def properties(self) -> Mapping[str, str]:
        return REPLICATED


class KafkaServer(KafkaCluster, Server):
    """A broker of our own."""

    def __init__(
        self, listeners: Listeners | None = None, *, jvm: Sequence[str] = java.QUICK, port: int | None = None
    ) -> None:
        self.listeners = listeners or Plain()
        client, controller, *more = free_ports(2 + self.listeners.extra_ports)
        self._ports = [port or client, controller, *more]
        self._jvm = jvm
        Server.__init__(self, "kafka")
        KafkaCluster.__init__(self, f"127.0.0.1:{self._ports[0]}")

    async def start(self) -> None:
        """Start the broker and return once it answers. Raises ServiceMissing where it can't be had."""
        if not self._data.exists():
            await asyncio.to_thread(self._prepare)
            await self._format()
        await self._spawn(self._java(*self._jvm, "kafka.Kafka", str(self._properties)))

    @property
    def _properties(self) -> Path:
        return self._run_dir / "server.properties"

    def _prepare(self) -> None:
        self._program, self._jars = install()
        self.listeners.prepare(self._run_dir)
        self._properties.write_text(server_properties(self._ports, self._data, self.listeners))

    async def _format(self) -> None:
        """Give the empty data folder its cluster id, and the cluster its first users."""
        scram = [word for user in self.listeners.scram_users() for word in ("--add-scram", user)]
        command = ("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties))
        process = await Process.spawn(self._java("-XX:TieredStopAtLevel=1", *command, *scram), self.log)
        async with asyncio.timeout(_FORMAT_DEADLINE_S):
            while process.returncode is None:
                await asyncio.sleep(0.02)
        if process.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{process.log_tail()}")

    def _java(self, *arguments: str) -> Sequence[str]:
        return (self._program, "-XX:+UseSerialGC", "-cp", f"{self._jars}/*", *arguments)


class SecondBroker(KafkaServer):
    """Another broker of the cluster of a `Replicated` one, which has the controller; it may be killed and come back."""

    def __init__(self, first: KafkaServer) -> None:
        super().__init__()
        self._controller = first._ports[1]

    def _prepare(self) -> None:
        self._program, self._jars = install()
        self._properties.write_text(second_broker_properties(self._ports[0], self._data, self._controller))
