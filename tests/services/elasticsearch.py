"""One Elasticsearch node that a test may kill, freeze and restart."""

from __future__ import annotations

import asyncio
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tests.services import java
from tests.services.cache import locked
from tests.services.elasticsearch_client import Elasticsearch
from tests.services.ports import free_ports
from tests.services.server import Server

VERSION: Final = "8.17.0"
NEWEST: Final = "9.2.0"
JAVA: Final = {VERSION: (17, 23), NEWEST: (21, 25)}  # the Java versions each runs on: the oldest, the newest
_ARTIFACT: Final = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:{}:zip"
_JVM_OPTIONS: Final = """\
{jvm}
-XX:+UseSerialGC
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir=${{ES_TMPDIR}}
20-:--add-modules=jdk.incubator.vector
"""
_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_SETTINGS: Final = {
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "cluster.routing.allocation.disk.threshold_enabled": False,  # a developer's disk may well be nearly full
    "xpack.security.enabled": False,
    # the serial collector leaves garbage until the heap is full, which that breaker takes for use: the node refuses
    # everything for ever, because nothing is allocated that would make it collect
    "indices.breaker.total.use_real_memory": False,
}


def install(version: str = VERSION) -> tuple[str, Path]:
    """Return the Java program and the unpacked distribution, fetched if need be. Raises ServiceMissing."""
    program = java.java(*JAVA[version])
    name = f"elasticsearch-{version}"
    home = java.jars(name, _ARTIFACT.format(version)).parent / name
    with locked(name):
        if not home.is_dir():
            _unpack(home)
    return program, home


class ElasticsearchServer(Elasticsearch, Server):
    """A node of our own. It is the distribution Elasticsearch tests itself with: no scripts, no ingest pipelines."""

    def __init__(self, version: str = VERSION, *, jvm: Sequence[str] = java.QUICK, port: int | None = None) -> None:
        self.version = version
        http, self._transport = free_ports(2)
        self._port = port or http
        self._jvm = jvm
        Server.__init__(self, "elasticsearch")
        Elasticsearch.__init__(self, f"http://127.0.0.1:{self._port}")

    async def start(self) -> None:
        """Start the node and return once it answers. Raises ServiceMissing where it can't be had."""
        program, home = await asyncio.to_thread(self._install)
        if not self._data.exists():
            self._prepare(home)
        env = {
            "ES_JAVA_HOME": str(Path(program).resolve().parents[1]),
            "ES_PATH_CONF": str(self._config),
            "ES_TMPDIR": str(self._data / "tmp"),
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",  # of what starts the node
        }
        command = ["bash", str(home / "bin/elasticsearch")]
        await self._spawn(command, os.environ | env, root=False)  # as root it refuses to start

    @property
    def _config(self) -> Path:
        return self._run_dir / "config"

    def _install(self) -> tuple[str, Path]:
        return install(self.version)

    def _prepare(self, home: Path) -> None:
        (self._data / "tmp").mkdir(parents=True)
        shutil.copytree(home / "config", self._config)
        (self._config / "jvm.options").write_text(_JVM_OPTIONS.format(jvm="\n".join(self._jvm)))
        (self._config / "log4j2.properties").write_text(_LOGGING)
        (self._config / "elasticsearch.yml").write_text(yaml.safe_dump(dict(self._settings())))

    def _settings(self) -> Mapping[str, Any]:
        """Return what goes into `elasticsearch.yml`, after the files it names are written."""
        return {
            **_SETTINGS,
            "http.port": self._port,
            "transport.port": self._transport,
            "path.data": str(self._data),
            "path.logs": str(self._run_dir),
        }


def _unpack(home: Path) -> None:
    work = home.with_name("unpacked")
    shutil.rmtree(work, ignore_errors=True)
    (archive,) = (home.parent / "lib").glob("*.zip")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(work)
    for script in (work / home.name / "bin").iterdir():
        script.chmod(0o755)
    (work / home.name).rename(home)  # whole or not at all
    work.rmdir()
