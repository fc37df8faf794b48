"""One Apache Kafka broker (KRaft, with the controller in the same process) that a test may kill, freeze and restart."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.services import java
from tests.services.cache import new_run_dir
from tests.services.kafka_client import KafkaCluster
from tests.services.kafka_config import Listeners, Plain, server_properties
from tests.services.ports import free_ports
from tests.services.process import Process

VERSION: Final = "4.1.0"
_ARTIFACTS: Final = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
_START_DEADLINE_S: Final = 90.0
_CLUSTER_ID: Final = "d2lyZS10ZXN0LWJyb2tlcg"


def install() -> tuple[str, Path]:
    """Return the Java program and the folder of Kafka's jars, fetched if need be. Raises ServiceMissing."""
    return java.java(), java.jars(f"kafka-{VERSION}", *_ARTIFACTS)


class KafkaServer(KafkaCluster):
    """A broker of our own. Ports and data are kept from `start` to `start`; `close` throws the data away.

    `kill`, `pause` and `resume` act at once; `start`, `stop` and `restart` return when the broker answers, or is gone.
    """

    def __init__(self, listeners: Listeners | None = None, *, heap: str = "512m", port: int | None = None) -> None:
        self.listeners = listeners or Plain()
        client, controller, *more = free_ports(2 + self.listeners.extra_ports)
        self._ports = [port or client, controller, *more]
        self._heap = heap
        self._run_dir = new_run_dir("kafka")
        self._process: Process | None = None
        super().__init__(f"127.0.0.1:{self._ports[0]}")

    @property
    def log(self) -> Path:
        """The broker's own log, kept when the broker is closed."""
        return self._run_dir / "kafka.log"

    @property
    def pid(self) -> int:
        """The broker's process id. The broker must have been started."""
        return self._started().pid

    async def start(self) -> None:
        """Start the broker and return once it answers. Raises ServiceMissing where it can't be had."""
        if not (self._run_dir / "data").exists():
            await asyncio.to_thread(self._prepare)
            await self._format()
        self._process = await self._java(f"-Xms{self._heap}", f"-Xmx{self._heap}", "kafka.Kafka", str(self._properties))
        await self._wait_until_ready(self._process)

    async def stop(self) -> None:
        """Shut the broker down in good order (SIGTERM). Idempotent."""
        if self._process is not None:
            await self._process.stop()

    async def restart(self) -> None:
        """Stop the broker if it runs, and start it on the same ports with the same data."""
        await self.stop()
        await self.start()

    def kill(self) -> None:
        """End the broker at once (SIGKILL). What it acknowledged is still there when it is started again."""
        self._started().kill()

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open, nothing is answered."""
        self._started().pause()

    def resume(self) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._started().resume()

    def close(self) -> None:
        """End the broker and throw its data away; its log is kept. Idempotent."""
        if self._process is not None:
            self._process.kill()
        shutil.rmtree(self._run_dir / "data", ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _properties(self) -> Path:
        return self._run_dir / "server.properties"

    def _started(self) -> Process:
        if self._process is None:
            raise ValueError("the broker was never started")
        return self._process

    def _prepare(self) -> None:
        self._program, self._jars = install()
        self.listeners.prepare(self._run_dir)
        self._properties.write_text(server_properties(self._ports, self._run_dir / "data", self.listeners))

    async def _format(self) -> None:
        """Give the empty data folder its cluster id, and the cluster its first users."""
        scram = [word for user in self.listeners.scram_users() for word in ("--add-scram", user)]
        command = ("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties))
        process = await self._java("-XX:TieredStopAtLevel=1", *command, *scram)
        async with asyncio.timeout(_START_DEADLINE_S):
            while process.returncode is None:
                await asyncio.sleep(0.02)
        if process.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{process.log_tail()}")

    async def _java(self, *arguments: str) -> Process:
        command = (self._program, "-XX:+UseSerialGC", "-cp", f"{self._jars}/*", *arguments)
        return await Process.spawn(command, self.log)

    async def _wait_until_ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(_START_DEADLINE_S):
                while not await self.answers():
                    if process.returncode is not None:
                        raise RuntimeError(f"Kafka exited with {process.returncode}:\n{process.log_tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RuntimeError(f"Kafka did not answer within {_START_DEADLINE_S:g} s:\n{process.log_tail()}") from None
